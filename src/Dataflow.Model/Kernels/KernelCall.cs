using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// One kernel of a block program with its operands by name. Each kernel of the catalog has a record of its own here, which says how it
/// touches each operand and what it has to do; everyone else (scratch, recomputation, estimates, executors) goes by that.
/// </summary>
public abstract record KernelCall
{
    /// <summary>Which kernel of the catalog.</summary>
    public abstract Kernel Kernel { get; }

    /// <summary>What it only reads.</summary>
    public ImmutableArray<Operand> Reads => Listed.Reads;

    /// <summary>What it overwrites without reading it.</summary>
    public ImmutableArray<Operand> Writes => Listed.Writes;

    /// <summary>
    /// What it reads and replaces in place. Weight gradients are always among these: whether the first contribution overwrites them is
    /// said by the op's access to its gradient operand.
    /// </summary>
    public ImmutableArray<Operand> Updates => Listed.Updates;

    /// <summary>All operands.</summary>
    public ImmutableArray<Operand> Operands
    {
        get
        {
            var all = Listed;
            return [.. all.Reads, .. all.Writes, .. all.Updates];
        }
    }

    /// <summary>What it has to do; a kernel that takes its operands once moves their bytes.</summary>
    public virtual KernelWork Work(in CallShapes at) => KernelWork.Memory(at.Traffic(this));

    /// <summary>The same call without the outputs that nobody wants, as far as the kernel can leave them out.</summary>
    public virtual KernelCall Only(Func<Operand, bool> wanted) => this;

    /// <summary>Lists every operand once, as it is touched.</summary>
    protected abstract void List(KernelOperands all);

    private KernelOperands Listed
    {
        get
        {
            var all = new KernelOperands();
            List(all);
            return all;
        }
    }
}

/// <summary>The operands of a call, as it lists them; what is null is left out.</summary>
public sealed class KernelOperands
{
    /// <summary>Only read.</summary>
    public ImmutableArray<Operand> Reads { get; private set; } = [];

    /// <summary>Overwritten.</summary>
    public ImmutableArray<Operand> Writes { get; private set; } = [];

    /// <summary>Read and replaced.</summary>
    public ImmutableArray<Operand> Updates { get; private set; } = [];

    /// <summary>Adds what is only read.</summary>
    public void Read(params ReadOnlySpan<Operand?> operands) => Reads = With(Reads, operands);

    /// <summary>Adds what is overwritten.</summary>
    public void Write(params ReadOnlySpan<Operand?> operands) => Writes = With(Writes, operands);

    /// <summary>Adds what is read and replaced.</summary>
    public void Update(params ReadOnlySpan<Operand?> operands) => Updates = With(Updates, operands);

    private static ImmutableArray<Operand> With(ImmutableArray<Operand> before, ReadOnlySpan<Operand?> operands)
    {
        int count = before.Length;
        foreach (var operand in operands)
        {
            count += operand is null ? 0 : 1;
        }

        var all = ImmutableArray.CreateBuilder<Operand>(count);
        all.AddRange(before);
        foreach (var operand in operands)
        {
            if (operand is { } some)
            {
                all.Add(some);
            }
        }

        return all.MoveToImmutable();
    }
}
