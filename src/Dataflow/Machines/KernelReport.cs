using System.Text.Json.Nodes;
using Dataflow.Cuda;

namespace Dataflow;

/// <summary>What compiling kernels gave: a row an entry point, a column a target.</summary>
public sealed class KernelReport(
    IReadOnlyList<KernelBuildResult> results,
    IReadOnlyList<KernelTarget> targets,
    string compiler,
    string folder,
    TimeSpan time
)
{
    /// <summary>For people.</summary>
    public void Write(TextWriter output)
    {
        // A fault of the source is the same for every target: said once.
        foreach (var said in results.Where(r => (r.Fault ?? r.Warnings).Length > 0).GroupBy(r => (r.Kernel, Text: r.Fault ?? r.Warnings)))
        {
            output.WriteLine($"{said.Key.Kernel}.cu for {string.Join(", ", said.Select(r => r.Target))}:");
            output.WriteLine(said.Key.Text);
        }

        KernelTarget[] assembled = [.. targets.Where(t => t.Form != KernelForm.Ptx)];
        output.WriteLine("Registers of a thread / bytes of a thread in local memory / bytes of static shared memory of a block:");
        var table = new TextTable(["kernel", .. assembled.Select(t => t.Name)]);
        foreach (string name in Names())
        {
            table.Add([name, .. assembled.Select(t => Cell(name, t))]);
        }

        table.WriteTo(output);
        int kept = results.Count(r => r.WasKept);
        int refused = results.Count(r => r.Fault is not null);
        output.WriteLine(
            $"{results.Count - kept - refused} images compiled, {kept} kept, {refused} refused, in {time.TotalSeconds:0.0} s by NVRTC "
                + $"{compiler}; they are in {folder} ({string.Join(", ", targets)})"
        );
    }

    /// <summary>For machines.</summary>
    public string Json() => new JsonObject
    {
        ["compiler"] = compiler,
        ["seconds"] = Math.Round(time.TotalSeconds, 3),
        ["images"] = new JsonArray([.. results.Select(r => new JsonObject
        {
            ["kernel"] = r.Kernel,
            ["target"] = r.Target.Name,
            ["kept"] = r.WasKept,
            ["hot"] = HotKernels.Contains(r.Kernel),
            ["fault"] = r.Fault,
            ["entry_points"] = new JsonArray([.. (r.Facts?.EntryPoints ?? []).Select(e => new JsonObject
            {
                ["name"] = e.Name,
                ["registers"] = e.Registers,
                ["stack_bytes"] = e.StackBytes,
                ["spill_store_bytes"] = e.SpillStoreBytes,
                ["spill_load_bytes"] = e.SpillLoadBytes,
                ["shared_bytes"] = e.SharedBytes,
            })]),
        })]),
    }.ToJsonString();

    private static string Text(EntryPoint e) => $"{e.Registers}/{Math.Max(e.StackBytes, e.SpillStoreBytes)}/{e.SharedBytes}";

    private IEnumerable<string> Names() =>
        results
            .Where(r => r.Facts is not null)
            .SelectMany(r => r.Facts!.EntryPoints)
            .Select(e => e.Name)
            .Distinct()
            .Order(StringComparer.Ordinal);

    private string Cell(string name, KernelTarget target) =>
        results
            .Where(r => r.Target == target && r.Facts is not null)
            .SelectMany(r => r.Facts!.EntryPoints)
            .FirstOrDefault(e => e.Name == name)
            is { } entry
            ? Text(entry)
            : "-";
}
