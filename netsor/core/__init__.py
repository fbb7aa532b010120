"""The core that everything reads: 𝒲, 𝒱, 𝒞 and a list of MATMUL, NONLIN⁺, MOMENT (Def. B.1)."""

from netsor.core.data import data_number
from netsor.core.program import (
    Constant,
    Data,
    DataRef,
    Embedding,
    Group,
    InputMatrix,
    InputRef,
    Instruction,
    MatMul,
    Matrix,
    Moment,
    NetworkInput,
    Nonlin,
    Output,
    Program,
    Readout,
    Trained,
)

__all__ = [
    "Constant",
    "Data",
    "DataRef",
    "Embedding",
    "Group",
    "InputMatrix",
    "InputRef",
    "Instruction",
    "MatMul",
    "Matrix",
    "Moment",
    "NetworkInput",
    "Nonlin",
    "Output",
    "Program",
    "Readout",
    "Trained",
    "data_number",
]
