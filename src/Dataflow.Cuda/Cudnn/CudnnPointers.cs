using System.Runtime.CompilerServices;

namespace Dataflow.Cuda;

/// <summary>Where the tensors of one run are, by operand; 0 where it has none.</summary>
[InlineArray(Count)]
public struct CudnnPointers
{
    /// <summary>One more than the largest operand.</summary>
    public const int Count = (int)CudnnOperand.WindowFill + 1;

    private nuint first;

    /// <summary>Address of the operand's first element.</summary>
    public nuint this[CudnnOperand operand]
    {
        readonly get => this[(int)operand];
        set => this[(int)operand] = value;
    }
}
