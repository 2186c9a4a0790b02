using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.EventProcessors;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Dataflow.Benchmarks;

/// <summary>
/// Runs suites by name: planning, simulation, kernels, rates, products, experts, costs, prediction, step, peers, peers-one-thread,
/// tokenizer, files, generation. What is not an option of this program goes to BenchmarkDotNet.
/// </summary>
internal static class Suites
{
    private const string OptimizerRuns = "artifacts/optimizers";
    private const string Usage =
        "usage: Dataflow.Benchmarks [planning] [simulation] [kernels] [rates] [products] [experts] [costs] [prediction] [step] [peers] "
            + "[peers-one-thread] [tokenizer] [files] [generation] [optimizers] [--out DIR] [--long] [options of BenchmarkDotNet, such as "
            + "--filter '*Waits*']";
    private static readonly string[] All =
    [
        "planning", "simulation", "kernels", "rates", "products", "experts", "costs", "prediction", "step", "peers", OneThread, "tokenizer",
        "files",
    ];

    private const string OneThread = "peers-one-thread";

    // It needs a model that is not here: it runs where it is named.
    private const string Generation = "generation";

    // It reads what bench/optimizers.sh left in a folder.
    private const string Optimizers = "optimizers";

    /// <summary>Runs what the arguments name, all of it if they name nothing.</summary>
    public static int Run(string[] arguments)
    {
        var (names, rest, folder, patient) = (new List<string>(), new List<string>(), (string?)null, false);
        for (int i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--help" or "-h":
                    Console.Out.WriteLine(Usage);
                    return 0;
                case "--out" when i + 1 < arguments.Length:
                    folder = arguments[++i];
                    break;
                case "--long":
                    patient = true;
                    break;
                case var name when All.Contains(name) || name is Generation or Optimizers:
                    names.Add(name);
                    break;
                case var name when !name.StartsWith('-') && rest.Count == 0:
                    Console.Error.WriteLine($"error: {name} is no suite; {Usage}");
                    return 2;
                default:
                    rest.AddRange(arguments[i..]);
                    i = arguments.Length;
                    break;
            }
        }

        foreach (string name in names.Count > 0 ? names : [.. All])
        {
            var conditions = Conditions.Now();
            var result = name switch
            {
                "planning" => PlanningBenchmarks.Result(Measure(typeof(PlanningBenchmarks), patient, rest)),
                "prediction" => Predictions.Measure(patient),
                "products" => ProductComparison.Measure(),
                "rates" => KernelRateTable.Measure(rest),
                "step" => StepProfile.Measure(rest),
                "experts" => GroupedComparison.Measure(),
                "peers" => PeerComparison.OnAllCores(),
                OneThread => PeerComparison.OnOneThread(),
                "tokenizer" => TokenizerComparison.Measure(),
                "files" => FileSpeeds.Measure(),
                Generation => GenerationComparison.Measure(),
                Optimizers => OptimizerCurves.Of(OptimizerRuns),
                "simulation" => SimulationBenchmarks.Result(Measure(typeof(SimulationBenchmarks), patient, rest)),
                "kernels" => KernelBenchmarks.Result(Measure(typeof(KernelBenchmarks), patient, rest)),
                _ => PlanCosts.Measure(),
            };
            string how = name is not ("planning" or "simulation" or "kernels")
                ? result.How
                : $"{result.How} BenchmarkDotNet {typeof(Job).Assembly.GetName().Version?.ToString(3)}, {(patient ? "default" : "short")} "
                    + $"job in one process.";
            result = result with { How = how };
            result.Write(Console.Out, conditions);
            if (folder is not null)
            {
                result.WriteTo(folder, name, conditions);
                if (name == Optimizers)
                {
                    File.WriteAllText(Path.Combine(folder, name + ".svg"), OptimizerCurves.Svg(OptimizerRuns));
                }
            }
        }

        return 0;
    }

    private static Summary Measure(Type suite, bool patient, List<string> options)
    {
        var job = (patient ? Job.Default : Job.ShortRun).WithToolchain(InProcessEmitToolchain.Instance);
        Directory.CreateDirectory("artifacts/benchmarks");
        using var log = new StreamWriter($"artifacts/benchmarks/{suite.Name}.log");
        var config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddLogger(new StreamLogger(log))
            .AddEventProcessor(new Progress())
            .WithArtifactsPath("artifacts/benchmarks")
            .WithOptions(ConfigOptions.DisableLogFile);
        return BenchmarkRunner.Run(suite, config, [.. options]);
    }

    /// <summary>One line a benchmark.</summary>
    private sealed class Progress : EventProcessor
    {
        public override void OnEndRunBenchmark(BenchmarkCase benchmarkCase, BenchmarkReport report) =>
            Console.Error.WriteLine(
                $"{benchmarkCase.Descriptor.WorkloadMethod.Name} {benchmarkCase.Parameters["Case"]}: "
                    + $"{(report.ResultStatistics is { } s ? Result.Duration(s.Mean) : "failed")}"
            );
    }
}
