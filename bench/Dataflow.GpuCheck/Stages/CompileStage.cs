using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>
/// All kernels by the NVRTC that is here, which is seldom the one of the bundle's images: for this GPU, then for the others that are
/// supported, and what each kernel takes. Nothing is run, and the images are not kept.
/// </summary>
internal sealed class CompileStage : Stage
{
    private const string This = "this-gpu";

    // On the emulation, where compiling takes minutes.
    private static readonly string[] s_rehearsed = ["rms_norm", "embedding"];
    private static readonly string[] s_others = ["sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120"];

    /// <inheritdoc/>
    public override string Name => "compile";

    /// <inheritdoc/>
    public override string Title => "kernels by the compiler that is here: faults and spills";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(90);

    /// <inheritdoc/>
    public override TimeSpan Share => TimeSpan.FromSeconds(45);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => [This, "other-gpus"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [This];

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(name == This ? 10 : 25);

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var gpu = settings.OpenGpu();
        if (CudaLibraries.Lack(CudaLibrary.Nvrtc) is { } lack)
        {
            return new CaseResult(Verdict.Missing, lack);
        }

        var known = KernelCompiler.Supported();
        var own = KernelTarget.Best(gpu.Capability, known);
        var wanted = name == This ? [own] : s_others.Select(KernelTarget.Parse).Where(t => t != own).ToList();
        var targets = wanted.Where(t => known.Contains(t.Capability)).ToList();
        var sources = KernelFolders.ReadSources().All.Where(s => !settings.Emulated || s_rehearsed.Contains(s.Name)).ToList();
        var results = sources
            .SelectMany(s => targets.Select(t => (Source: s, Target: t)))
            .AsParallel()
            .WithDegreeOfParallelism(Environment.ProcessorCount)
            .Select(job => Compiled(job.Source, job.Target))
            .ToList();
        var figures = new JsonObject { ["nvrtc"] = KernelCompiler.Version };
        foreach (var target in targets)
        {
            figures[target.Name] = Figures(results.Where(r => r.Target == target));
            say($"{target}: {results.Count(r => r.Target == target && r.Fault is null)} of {sources.Count} files");
        }

        string[] refused = [.. results.Where(r => r.Fault is not null).Select(r => $"{r.Kernel} for {r.Target}: {FirstLine(r.Fault!)}")];
        var spills = HotKernels.Faults(results);
        foreach (string line in refused.Concat(spills))
        {
            say(line);
        }

        string unknown = wanted.Count > targets.Count ? $"; it does not know {string.Join(", ", wanted.Except(targets))}" : "";
        string of = $"NVRTC {KernelCompiler.Version}, {sources.Count} files for {string.Join(", ", targets)}{unknown}";
        return refused.Length > 0 ? new CaseResult(Verdict.Failed, $"{of}: {string.Join("; ", refused)}", figures)
            : spills.Count > 0 ? new CaseResult(Verdict.Below, $"{of}: {string.Join("; ", spills)}", figures)
            : CaseResult.Of(true, $"{of}: no hot kernel spills", figures);
    }

    private static KernelBuildResult Compiled(KernelSource source, KernelTarget target)
    {
        var compiled = KernelCompiler.Compile(source, target);
        var facts = compiled.Fault is null ? new KernelImageFacts(source.Hash, KernelCompiler.Version, compiled.EntryPoints) : null;
        return new KernelBuildResult(source.Name, target, facts, compiled.Fault, compiled.Warnings, WasKept: false);
    }

    // Registers of each kernel, or registers and what it spills.
    private static JsonObject Figures(IEnumerable<KernelBuildResult> results)
    {
        var figures = new JsonObject();
        foreach (var kernel in results.Where(r => r.Facts is not null).SelectMany(r => r.Facts!.EntryPoints).OrderBy(e => e.Name))
        {
            figures[kernel.Name] = kernel.Spills
                ? new JsonArray(kernel.Registers, kernel.StackBytes, kernel.SpillStoreBytes, kernel.SpillLoadBytes)
                : kernel.Registers;
        }

        return figures;
    }

    private static string FirstLine(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault() ?? "";
}
