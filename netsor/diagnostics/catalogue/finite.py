"""E7xx: runs at a finite width; the programs of E703 and E704 are found wanting by `netsor eval --width 64`."""

from netsor.diagnostics.catalogue.entry import Entry

E700 = Entry(
    "E700",
    "a run would take years",
    "The time of a run is estimated from its instructions, its width and the number of draws before anything "
    "begins. A sweep over coordinates that nobody keeps needs hardly any memory, so an absurd width shows "
    "here and not in the memory.",
    "netsor eval programs/algorithm1.netsor --width 1000 --seeds 1e15",
    "netsor eval programs/algorithm1.netsor --width 1000 --seeds 10",
    "Setup B.2",
)

E701 = Entry(
    "E701",
    "a width must be a whole number of at least 1",
    "At width n vectors have n coordinates and matrices n×n entries.",
    "netsor eval programs/algorithm1.netsor --width 0",
    "netsor eval programs/algorithm1.netsor --width 1024",
    "Setup B.2",
)

E702 = Entry(
    "E702",
    "a run does not fit into the memory",
    "The memory of a run is estimated before anything is allocated: n² numbers for each matrix that is held at "
    "a time with the dense engine, two vectors for each product with the lazy one, with both the vectors alive at "
    "a time. A run that needs more than the system has free is refused. The message says how wide it may "
    "be. Single precision halves the need.",
    "netsor eval programs/algorithm1.netsor --width 1000000000000",
    "netsor eval programs/algorithm1.netsor --width 1000000",
    "Setup B.2",
)

E703 = Entry(
    "E703",
    "an output is not a finite number",
    "A logarithm or a root of a negative number, a division by zero or an overflow makes a coordinate that is no "
    "number, and an output that depends on it is none either. The message names the first instruction that makes "
    "such a coordinate out of finite ones.",
    "vector x ~ N(0, 1)\ny := log(x)\noutput m := mean(y)\n",
    "vector x ~ N(0, 1)\ny := log(x^2 + 1)\noutput m := mean(y)\n",
    "Eqs. 60, 61",
)

E704 = Entry(
    "E704",
    "a Dirac mass has no value at a finite width",
    "The derivative of a jump is a Dirac mass. In the limit only its expectation counts; a coordinate of a vector "
    "of finite width has no such value, and no finite number of samples has the right mean.",
    "vector x ~ N(0, 1)\ny := relu''(x)\noutput m := mean(y)\n",
    "vector x ~ N(0, 1)\ny := relu'(x)\noutput m := mean(y)\n",
    "Remark B.6",
)

E705 = Entry(
    "E705",
    "a name that the run does not know",
    "What can be asked of a run: outputs of the program, one of the engines auto, dense and lazy, float64 or "
    "float32, and at least one draw.",
    "netsor eval programs/algorithm1.netsor --width 64 --engine sparse",
    "netsor eval programs/algorithm1.netsor --width 64 --engine lazy",
)

E706 = Entry(
    "E706",
    "an array does not fit the variable it is given for",
    "Numbers may be given for the inputs of a network, shape (d,) or one row for each token, and in the place of "
    "draws for matrices, (n, n) or (n, d), and initial vectors, (n,). Given matrices are multiplied as they are, "
    "which the lazy engine, that holds none, cannot.",
    "netsor eval rnn.netsor --width 64 --data X=three_columns.npy",
    "netsor eval rnn.netsor --width 64 --data X=four_columns.npy",
    "Setup B.2, Setup D.1",
)

E707 = Entry(
    "E707",
    "the results of a study cannot be kept",
    "A study of convergence writes each result to a file as soon as it is there. If the file cannot be written, a "
    "study does not begin; if the disk is full in the middle of it, it goes on in memory and says so at its end.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --store /no/such/folder/study.jsonl",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --store study.jsonl",
)

E708 = Entry(
    "E708",
    "a cluster cannot be used",
    "With `--dask ADDRESS` the tasks of a study go to a running scheduler of dask.distributed, which must be "
    "installed here (`pip install 'netsor[dask]'`) and must answer at that address.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --dask nowhere",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --dask tcp://scheduler:8786",
)

E709 = Entry(
    "E709",
    "a device cannot be used",
    "`--device` names a device of torch or CuPy, such as cuda or cuda:1, or an array module and its device, such "
    "as torch:cpu. The module must be installed, with array-api-compat, and must find the device.",
    "netsor eval programs/algorithm1.netsor --width 4096 --device cuda:99",
    "netsor eval programs/algorithm1.netsor --width 4096 --device cuda",
)

W710 = Entry(
    "W710",
    "the workers of a study were lost",
    "A process that computes for a study was killed, as the system does where memory ends, or the scheduler of a "
    "cluster went away. What was finished is kept; the rest is done in the process that asked, with the same "
    "numbers. A cluster's single worker may stop without this: its tasks go to another.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e8 --seeds 20 --jobs 64",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e8 --seeds 20 --jobs 2",
    severity="warning",
)

E711 = Entry(
    "E711",
    "a store that is not to be written to",
    "`netsor converge` keeps the result of each finished run in a store. A file that is not one is left as it is; "
    "one with results is used with `--resume` and emptied with `--overwrite`; and one that another process is "
    "writing to is refused.",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store programs/algorithm1.netsor",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store study.jsonl",
)

W712 = Entry(
    "W712",
    "a store has damaged lines",
    "Each line of a store is the result of one task. A line that is not whole, as the last may be where a process "
    "was killed, is skipped, and what it held is computed again.",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store damaged.jsonl --resume",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store study.jsonl --resume",
    severity="warning",
)
