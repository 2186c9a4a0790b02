namespace Dataflow.Benchmarks;

/// <summary>What a kernel's speed is counted in.</summary>
public enum WorkUnit
{
    /// <summary>Floating-point operations.</summary>
    Flop,

    /// <summary>Bytes read and written.</summary>
    Byte,
}

/// <summary>A kernel on operands of one shape and type.</summary>
/// <param name="Work">FLOPs or bytes of one run.</param>
/// <param name="Prepare">Makes the operands and returns one run.</param>
public sealed record KernelCase(string Kernel, string Shape, string Type, double Work, WorkUnit Unit, Func<Operands, Action> Prepare)
{
    /// <summary>"Gemm 1024 x 1024 x 1024 bf16".</summary>
    public override string ToString() => $"{Kernel} {Shape} {Type}";
}
