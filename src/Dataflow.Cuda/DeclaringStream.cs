using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>
/// A stream on which what each call touches is declared to the emulated driver first, as its arguments say it: a launch that strays from
/// that is found, wherever in the arena it lands. Devices on the real driver do without it.
/// </summary>
/// <param name="inner">What launches.</param>
/// <param name="op">The op that is being launched.</param>
/// <param name="products">The memory that matrix products work in.</param>
/// <param name="step">The step's arguments.</param>
internal sealed class DeclaringStream(IKernels inner, OpDeclaration op, DeclaredRange products, DeclaredRange step) : KernelStream(inner)
{
    /// <inheritdoc/>
    public override void Copy(nuint from, nuint to, Bytes length)
    {
        var accesses = new KernelAccesses();
        accesses.Read(from, length.Value);
        accesses.Write(to, length.Value);
        Declare(nameof(Copy), accesses);
        base.Copy(from, to, length);
    }

    /// <inheritdoc/>
    public override void Zero(nuint at, Bytes length)
    {
        var accesses = new KernelAccesses();
        accesses.Write(at, length.Value);
        Declare(nameof(Zero), accesses);
        base.Zero(at, length);
    }

    /// <inheritdoc/>
    public override void Launch<T>(in T call)
    {
        var accesses = new KernelAccesses();
        call.Declare(accesses);
        Declare(typeof(T).Name.Replace("Arguments", "", StringComparison.Ordinal), accesses);
        base.Launch(call);
    }

    private void Declare(string kernel, KernelAccesses accesses)
    {
        DeclaredRange[] beside = (accesses.UsesProductWorkspace, accesses.ReadsStepArguments) switch
        {
            (true, _) => [products],
            (_, true) => [step],
            _ => [],
        };
        op.Launches(kernel, [.. accesses.Ranges.Select(Declared)], beside);
    }

    private static DeclaredRange Declared((nuint Start, long Bytes, KernelAccess Access) range) =>
        new(
            new DevicePointer(range.Start),
            new Bytes(range.Bytes),
            range.Access switch
            {
                KernelAccess.Read => MemoryAccess.Read,
                KernelAccess.Write => MemoryAccess.Write,
                _ => MemoryAccess.Read | MemoryAccess.Write,
            }
        );
}
