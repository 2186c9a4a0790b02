using Dataflow.Cuda.Kernels;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Kernels whose every launch is on the step's critical path: a spill there is a fault, not a figure.</summary>
public static class HotKernels
{
    /// <summary>Beginnings of their files' names.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Optimizer.All.Select(Update.FileOf),
        "average", "cross_entropy", "embedding", "flash_attention", "gated_activation", "layer_norm", "muon", "qk_norm_rope", "rms_norm",
        "ungated_activation",
    ];

    /// <summary>Whether a file of kernels is one of them.</summary>
    public static bool Contains(string kernel) => Names.Any(n => kernel.StartsWith(n, StringComparison.Ordinal));

    /// <summary>
    /// A sentence for each of their kernels that keeps anything of a thread in local memory, and for each image of which nothing is known.
    /// </summary>
    public static IReadOnlyList<string> Faults(IEnumerable<KernelBuildResult> results) =>
        [
            .. results
                .Where(r => Contains(r.Kernel) && r.Target.Form != KernelForm.Ptx && r.Facts is not null)
                .SelectMany(r =>
                    r.Facts!.EntryPoints.Count == 0
                        ? [$"{r.Kernel} for {r.Target}: the compiler does not say what it takes"]
                        : r
                            .Facts.EntryPoints.Where(e => e.Spills)
                            .Select(e =>
                                $"{e.Name} for {r.Target}: {e.StackBytes} bytes of stack, {e.SpillStoreBytes} bytes spilled, "
                                    + $"{e.SpillLoadBytes} bytes read back, with {e.Registers} registers"
                            )
                ),
        ];
}
