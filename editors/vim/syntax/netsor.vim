" Vim syntax of netsor, written by editors/generate.py.
if exists("b:current_syntax")
  finish
endif
syntax iskeyword @,48-57,_,192-255

syntax keyword netsorKind param data scalar matrix vector network program
syntax keyword netsorStatement train def return for in if then else and or not output
syntax keyword netsorConstant n pi π
syntax match netsorName "\<\K\k*" contains=netsorKind,netsorStatement,netsorConstant transparent
syntax match netsorFunction "\<\%(Phi\|abs\|atan\|clip\|cos\|elu\|erf\|exp\|floor\|gelu\|hardtanh\|leaky_relu\|log\|max\|mean\|min\|relu\|rows\|selu\|sigmoid\|sign\|silu\|sin\|softplus\|sqrt\|step\|tan\|tanh\)\>\ze\s*[\[('′″‴]"
syntax match netsorStatement "\%(\<sum\|[Σ∑]\)\ze\s*(\s*\K\k*\s\+in\>"
syntax match netsorDefinition "^\s*\%(def\s\+\)\?\zs\K\k*\ze\s*([^()]*)\s*\%(=[^=]\|:\s*\%(#\|$\)\)"
syntax match netsorNumber "\<\d\+\%(\.\d\+\)\?\%([eE][-+]\?\d\+\)\?"
syntax match netsorNumber "\%(\k\|[.)\]⟩'′″‴]\)\@<!\.\d\+\%([eE][-+]\?\d\+\)\?"
syntax match netsorOperator ":=\|\.\.\|[<>=!]=\|[-+*/@^~=<>≤≥≠−⊙·⋅√⟨⟩ᵀ⊤'′″‴]"
syntax match netsorLabel "^\s*\%(INIT\|MATMUL\|NONLIN\|MOMENT\)[+⁺]\?\ze\s*:=\@!"
syntax match netsorInclude "\<include\%(\s*\"[^\"]*\"\|\s\+std\ze\s*\%(#\|$\)\)"
syntax match netsorComment "#.*$" contains=@Spell

highlight default link netsorKind Type
highlight default link netsorStatement Statement
highlight default link netsorConstant Constant
highlight default link netsorFunction Function
highlight default link netsorDefinition Identifier
highlight default link netsorNumber Number
highlight default link netsorOperator Operator
highlight default link netsorLabel Label
highlight default link netsorInclude Include
highlight default link netsorComment Comment

let b:current_syntax = "netsor"
