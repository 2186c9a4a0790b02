using System.CommandLine;
using System.Diagnostics;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow kernels: compiles the CUDA kernels ahead of time and says what each takes of a GPU.</summary>
internal static class KernelsVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow kernels",
        "dataflow kernels --arch sm_90a --check",
        "dataflow kernels --json",
        "dataflow kernels --cudnn-graphs graphs.json",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "kernels",
            "Compiles the CUDA kernels for all GPUs, without one, and says which registers, local and shared memory each takes."
        );
        var targets = Declare.Option(
            "--arch",
            "NAME,NAME",
            $"what to compile for [default: {string.Join(',', KernelTarget.Shipped)}]",
            Targets
        );
        var check = Declare.Flag("--check", "fail where a hot kernel keeps anything of a thread in local memory");
        var graphs = Declare.Option<string?>(
            "--cudnn-graphs",
            "FILE",
            "compile nothing, and write the graphs that cuDNN's attention would be given for sm80, sm90, sm100 and sm120, as JSON: a cuDNN "
                + "elsewhere can be asked, without a GPU too, whether it plans them in the workspace that is said. Training does not use "
                + "them yet",
            Values.FilePath
        );
        var json = Declare.Flag("--json", "print one JSON object");
        command.Options.Add(targets);
        command.Options.Add(check);
        command.Options.Add(graphs);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(graphs) is not { } file)
            {
                return (int)Run(parsed.GetValue(targets) ?? KernelTarget.Shipped, parsed.GetValue(check), parsed.GetValue(json));
            }

            return parsed.WasGiven(targets) || parsed.WasGiven(check)
                ? throw new UserErrorException(
                    "--cudnn-graphs compiles nothing, and writes the graphs of all its architectures: leave out --arch and --check")
                : (int)CudnnGraphs.Write(file, parsed.GetValue(json));
        });
        return command;
    }

    private static IReadOnlyList<KernelTarget> Targets(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(KernelTarget.Parse)];

    private static ExitCode Run(IReadOnlyList<KernelTarget> targets, bool check, bool json)
    {
        KernelFolders.UseFetchedLibraries();
        var sources = KernelFolders.ReadSources();
        var store = KernelFolders.Store;
        var clock = Stopwatch.StartNew();
        var results = Waiting.For($"compiling {sources.All.Count} files of kernels", () =>
            KernelBuild.Run(sources, targets, store, Environment.ProcessorCount)
        );
        var report = new KernelReport(results, targets, KernelCompiler.Version, store.Folder, clock.Elapsed);
        if (json)
        {
            Console.Out.WriteLine(report.Json());
        }
        else
        {
            report.Write(Console.Out);
        }

        string[] refused = [.. results.Where(r => r.Fault is not null).Select(r => $"{r.Kernel} for {r.Target}")];
        return refused.Length > 0
                ? throw new FailedException($"{refused.Length} of {results.Count} did not compile: {string.Join(", ", refused)}")
            : check && HotKernels.Faults(results) is { Count: > 0 } spills
                ? throw new FailedException($"hot kernels must keep everything in registers: {string.Join("; ", spills)}")
            : ExitCode.Ok;
    }
}
