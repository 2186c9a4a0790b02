namespace Dataflow.Model;

/// <summary>Begins a gradient that later ops add to, where an op that overwrites its object has nothing to put there.</summary>
public sealed record ZeroCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.Zero;

    /// <summary>Zeroed by the op that overwrites it; ops that add to it leave it alone.</summary>
    public required Operand Gradient { get; init; }

    /// <summary>Once a step, and no more than the bytes of one product's result: not counted.</summary>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(0);

    /// <inheritdoc/>
    protected override void List(KernelOperands all) => all.Update(Gradient);
}
