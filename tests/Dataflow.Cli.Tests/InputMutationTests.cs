using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cli.Tests;

/// <summary>
/// Damaged files of every kind that is read: each ends in one sentence or in a plan, and what was read is planned with. With
/// DATAFLOW_SOAK=1 2,500 of each kind, otherwise a sample. A hang fails by the suite's own limit a test.
/// </summary>
public class InputMutationTests(ITestOutputHelper output)
{
    private const long MostAllocated = 500L << 20;
    private static readonly bool Soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly string Root = Programs.Root;

    [Fact]
    [Trait("Soak", "true")]
    public void Hardware_profiles() => Campaign(File.ReadAllBytes(Path.Combine(Root, "profiling", "hardware", "cpu.json")), 60, file =>
        Simulate(new SimulationRequest("nano", Nano, 64, Budget, HardwareFiles.Load(file), PlanPolicy.Simple)));

    [Fact]
    [Trait("Soak", "true")]
    public void Batches() =>
        Campaign(
            Encoding.UTF8.GetBytes(
                """
                {"model": "nano", "seqlen": 64, "device_memory": "4MiB", "host_memory": "64MiB", "hardware": "cpu", "policy": "simple",
                """
                    + """ "global_batch": 512, "dtype": "fp32", "deterministic": false}""" + "\n"
            ),
            60,
            file =>
            {
                var reader = new SimulationRequestReader();
                foreach (string line in InputFile.ReadLines(file, new Bytes(1 << 26)).Where(l => !string.IsNullOrWhiteSpace(l)))
                {
                    var request = reader.Read(line);

            // What a search does is another test's; the sizes are what a file may get wrong.
            Simulate(request with { Policy = PlanPolicy.Simple });
        }
    });

    [Fact]
    [Trait("Soak", "true")]
    public void Sweep_configs() =>
        Campaign(
            Encoding.UTF8.GetBytes(
                """
                { "about": "x", "experiments": { "one": { "about": "y", "machines": { "M": "cpu" }, "models": ["nano"], "grids": [ {
                "seqlens": [64, 128], "host_gib": [0.1], "device_gib": [0.02, 0.05] } ], "policy": "simple", "dtype": "fp32",
                "step_tokens": 1024, "measure": { "device": "cpu", "data": "README.md", "steps": 3 } } } }
                """
            ),
            100,
            file => Assert.NotEmpty(SweepConfig.ReadAll(file))
        );

    [Fact]
    [Trait("Soak", "true")]
    public void Run_files()
    {
        var command = TrainVerb.Command();
        Campaign(
            Encoding.UTF8.GetBytes(
                """
                { "model": "nano", "seqlen": 64, "data": ["a", "b"], "lr": 2e-3, "steps": 4, "schedule": cosine, "no-cache": true,
                "schedule-options": {"floor": 0.05}, "lora-rank-pattern": {"q_proj": 8}, "recorded": {"plan": "00", "resumed": [{"a": 1}]} }
                """
            ),
            200,
            file => RunFileCommandLine.Complete(RunFile.Read(file), command.Parse([file]))
        );
    }

    [Fact]
    [Trait("Soak", "true")]
    public void Cached_plans()
    {
        using var scratch = new ScratchFolder();
        var machine = HardwareFiles.Load("cpu");
        var request = new PlanRequest(Nano, Recipe.Fp32, WorkloadKind.Training, 64, 8, new GeometryPins(), Budget);
        var cache = new PlanCache(scratch.Path);
        string wanted = Assert.IsType<PlanResult.Feasible>(new BudgetSearch(request, machine, cache).Plan(Budget)).Plan.Hash;
        string kept = Directory.GetFiles(scratch.Path)[0];
        byte[] sound = File.ReadAllBytes(kept);
        Campaign(sound, 25, file =>
        {
            // With the checksum mended, so that what the fields say is believed.
            byte[] damaged = File.ReadAllBytes(file);
            File.WriteAllBytes(kept, Mended(damaged));
            Assert.Equal(wanted, Assert.IsType<PlanResult.Feasible>(new BudgetSearch(request, machine, cache).Plan(Budget)).Plan.Hash);
            File.WriteAllBytes(kept, sound);
        });
    }

    private static ModelConfig Nano { get; } = ModelFiles.LoadConfig(Path.Combine(Root, "models", "nano.json"));

    private static MemoryBudget Budget => new(new Bytes(64 << 20), new Bytes(4 << 20));

    private static void Simulate(SimulationRequest request) =>
        Plans.Counted(() => SimulationAnswer.Of(request, SimulationAnswer.SearchFor(request, PlanCache.None)));

    private void Campaign(byte[] sound, int sample, Action<string> read)
    {
        using var scratch = new ScratchFolder();
        string file = scratch.File("damaged.json");
        File.WriteAllBytes(file, sound);
        read(file); // else all that follows would be refused for that alone
        int count = Soak ? 2500 : sample, refused = 0;
        long worst = 0;
        var longest = TimeSpan.Zero;
        for (int seed = 1; seed <= count; seed++)
        {
            byte[] damaged = ByteMutations.Apply(sound, new Random(seed));
            File.WriteAllBytes(file, damaged);
            long before = GC.GetTotalAllocatedBytes(), begun = Stopwatch.GetTimestamp();
            try
            {
                read(file);
            }
            catch (Exception e) when (Sentences(e) is { } sentences)
            {
                Assert.All(sentences, s => Assert.False(string.IsNullOrWhiteSpace(s)));
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail(
                    $"seed {seed}: {e.GetType().Name}: {e.Message} {e.StackTrace} for "
                        + $"{Encoding.UTF8.GetString(damaged.AsSpan(0, Math.Min(600, damaged.Length)))}"
                );
            }

            worst = Math.Max(worst, GC.GetTotalAllocatedBytes() - before);
            longest = longest > Stopwatch.GetElapsedTime(begun) ? longest : Stopwatch.GetElapsedTime(begun);
        }

        Assert.True(worst < MostAllocated, $"{new Bytes(worst)} were allocated");
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"seeds 1 to {count}: {refused} refused in a sentence, {count - refused} read; at most {new Bytes(worst)} allocated and "
                    + $"{longest.TotalSeconds:0.00} s for one"
            )
        );
    }

    /// <summary>What the program would say; null for what it would call its own fault.</summary>
    private static IReadOnlyList<string>? Sentences(Exception e)
    {
        Exception[] all = e is AggregateException many ? [.. many.Flatten().InnerExceptions] : [e];
        return all.All(x => x is UserErrorException or InfeasibleException or FailedException) ? [.. all.Select(x => x.Message)] : null;
    }

    private static byte[] Mended(byte[] damaged)
    {
        try
        {
            var file = JsonNode.Parse(damaged)!.AsObject();
            file["choice_hash"] = Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(file["choice"]!.ToJsonString()))
            );
            return Encoding.UTF8.GetBytes(file.ToJsonString());
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or NullReferenceException or ArgumentException or KeyNotFoundException)
        {
            return damaged;
        }
    }
}
