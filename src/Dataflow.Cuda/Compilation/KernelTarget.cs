using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>What kernels are compiled for.</summary>
/// <param name="Capability">The least that it runs on.</param>
/// <param name="Form">Which code it is.</param>
public readonly record struct KernelTarget(ComputeCapability Capability, KernelForm Form)
{
    /// <summary>
    /// What ships: machine code for the GPUs that training is planned on, and text that the driver compiles for all newer ones.
    /// </summary>
    public static IReadOnlyList<KernelTarget> Shipped { get; } =
    [
        new(new(8, 0), KernelForm.MachineCode), new(new(8, 6), KernelForm.MachineCode), new(new(8, 9), KernelForm.MachineCode),
        new(new(9, 0), KernelForm.ExactMachineCode), new(new(8, 0), KernelForm.Ptx),
    ];

    /// <summary>"sm_80", "sm_90a", "compute_80": the compiler's name, and the folder's.</summary>
    public string Name =>
        $"{(Form == KernelForm.Ptx ? "compute" : "sm")}_{Capability.Major}{Capability.Minor}"
            + $"{(Form == KernelForm.ExactMachineCode ? "a" : "")}";

    /// <summary>"cubin" or "ptx".</summary>
    public string Extension => Form == KernelForm.Ptx ? "ptx" : "cubin";

    /// <summary>Those that run on a GPU, the best first.</summary>
    public static IEnumerable<KernelTarget> For(ComputeCapability gpu, IEnumerable<KernelTarget> among) => among
        .Where(t => t.RunsOn(gpu))
        .OrderByDescending(t => t.Form switch { KernelForm.ExactMachineCode => 2, KernelForm.MachineCode => 1, _ => 0 })
        .ThenByDescending(t => t.Capability);

    /// <summary>The best that a compiler can make for a GPU.</summary>
    /// <param name="gpu">The GPU's own capability.</param>
    /// <param name="supported">Capabilities that it knows.</param>
    /// <exception cref="MachineException">It knows none that the GPU runs.</exception>
    public static KernelTarget Best(ComputeCapability gpu, IReadOnlyList<ComputeCapability> supported)
    {
        if (supported.Contains(gpu))
        {
            return new KernelTarget(gpu, gpu == new ComputeCapability(9, 0) ? KernelForm.ExactMachineCode : KernelForm.MachineCode);
        }

        var older = supported.Where(c => c < gpu).ToList();
        return older.Count > 0
            ? new KernelTarget(older.Max(), KernelForm.Ptx)
            : throw new MachineException($"this NVRTC compiles for no GPU as old as sm_{gpu.Major}{gpu.Minor}: sm_80 or newer is needed");
    }

    /// <exception cref="UserErrorException">Not a target's name.</exception>
    public static KernelTarget Parse(string name)
    {
        string[] parts = name.Split('_');
        bool exact = name.EndsWith('a');
        string digits = parts[^1].TrimEnd('a');
        return
            parts.Length == 2
            && parts[0] is "sm" or "compute"
            && !(exact && parts[0] == "compute")
            && digits.Length is 2 or 3
            && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number >= 80
            ? new KernelTarget(
                new(number / 10, number % 10),
                parts[0] == "compute" ? KernelForm.Ptx
                    : exact ? KernelForm.ExactMachineCode
                    : KernelForm.MachineCode
            )
            : throw new UserErrorException($"'{name}' is no target for kernels; give names such as {string.Join(", ", Shipped)}");
    }

    /// <summary>
    /// Whether a GPU runs it: machine code within its major version upwards, code with features of one GPU there alone, text upwards.
    /// </summary>
    public bool RunsOn(ComputeCapability gpu) => Form switch
    {
        KernelForm.MachineCode => gpu.Major == Capability.Major && gpu >= Capability,
        KernelForm.ExactMachineCode => gpu == Capability,
        KernelForm.Ptx => gpu >= Capability,
        _ => throw new InvalidOperationException("no such form"),
    };

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>What compiled code is.</summary>
public enum KernelForm
{
    /// <summary>For one GPU and later ones of its major version: sm_80.</summary>
    MachineCode,

    /// <summary>For one GPU alone, with what only that has: sm_90a.</summary>
    ExactMachineCode,

    /// <summary>PTX: compute_80.</summary>
    Ptx,
}
