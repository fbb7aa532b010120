autocmd BufRead,BufNewFile *.netsor setfiletype netsor
