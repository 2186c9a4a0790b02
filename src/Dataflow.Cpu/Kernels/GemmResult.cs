namespace Dataflow.Cpu.Kernels;

/// <summary>What becomes of a product: c = scale product + addend + bias.</summary>
/// <param name="C">M x N, overwritten.</param>
/// <param name="Addend">M x N, may be c itself (accumulate) or another matrix (residual); null adds nothing.</param>
/// <param name="Bias">1 x N, added to every row; null adds nothing.</param>
/// <param name="Scale">Of the product alone.</param>
public readonly record struct GemmResult(Matrix C, Matrix? Addend = null, Matrix? Bias = null, float Scale = 1);
