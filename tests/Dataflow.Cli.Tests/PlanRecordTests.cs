using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli.Tests;

/// <summary>
/// Plans as they were recorded: of 400 requests (every policy, model, recipe, machine and kind of work, lengths, batches, budgets and pins)
/// the hash, the bytes of both arenas and the predicted time of a step, or the smallest budgets that would do. A change of the planner's
/// code that is not meant to change its plans is held to them; one that is records them anew (DATAFLOW_RECORD=write) and says why. The
/// suite plans a sample, DATAFLOW_SOAK=1 all.
/// </summary>
[Trait("Slow", "true")]
public class PlanRecordTests
{
    private const int Requests = 400;
    private const int SampleEvery = 20;

    private static readonly string s_file = Path.Combine(Programs.Root, "tests", "Dataflow.Cli.Tests", "plans.csv");
    private static readonly bool s_record = Environment.GetEnvironmentVariable("DATAFLOW_RECORD") == "write";
    private static readonly bool s_all = s_record || Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    /// <summary>A model with lengths that people train it at, and budgets from too small to all at rest, in MiB.</summary>
    private static readonly (string Model, int[] Lengths, int[] Devices, int[] Hosts)[] s_work =
    [
        ("nano", [32, 100, 512, 4096], [2, 5, 8, 24, 96], [6, 16, 40, 200]),
        ("micro", [64, 256, 1000, 8192], [12, 24, 48, 150, 600], [60, 120, 300, 900]),
        ("1b", [512, 4096, 65536], [2048, 6000, 16384, 40960], [12288, 24576, 65536]),
        ("8b", [1024, 8192, 131072], [8192, 16384, 24576, 79872], [65536, 112640, 196608]),
        ("15b", [2048, 16384], [16384, 24576, 79872], [196608, 400000]),
        ("32b", [1024, 32768], [24576, 40960, 140000], [196608, 409600, 1048576]),
        ("70b", [512, 8192], [24576, 79872], [786432, 1600000]),
    ];

    private static readonly string[] s_machines = ["h100", "a100", "rtx3090", "rtx5090", "h200", "b200"];

    /// <summary>What is asked for, as it stands in the record.</summary>
    private sealed record Asked
    {
        public required PlanPolicy Policy { get; init; }

        public required string Model { get; init; }

        public required int Seqlen { get; init; }

        public required int Device { get; init; }

        public required int Host { get; init; }

        public required string Machine { get; init; }

        public required Recipe Recipe { get; init; }

        public required WorkloadKind Kind { get; init; }

        public required int? Rows { get; init; }

        public required GeometryPins Pins { get; init; }

        public override string ToString() =>
            string.Join(
                ',',
                PlanPolicies.NameOf(Policy),
                Model,
                Seqlen,
                Device,
                Host,
                Machine,
                Recipe.Name,
                Kind,
                Rows,
                Pins.ChunkTokens,
                Pins.Rounds,
                Pins.VocabularyBlocks
            );
    }

    [Trait("Soak", "true")]
    [Fact]
    public void Plans_are_the_recorded_ones()
    {
        var asked = All();
        Assert.Equal(Requests, asked.Distinct().Count());
        int[] wanted = [.. Enumerable.Range(0, Requests).Where(i => s_all || i % SampleEvery == 3)];
        string[] answers = new string[Requests];
        Parallel.ForEach(wanted, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
            answers[i] = $"{asked[i]},{Answer(asked[i])}"
        );
        if (s_record)
        {
            File.WriteAllLines(s_file, [Head, .. answers]);
        }

        string[] recorded = File.ReadAllLines(s_file);
        Assert.Equal((Head, Requests + 1), (recorded[0], recorded.Length));
        string[] differ =
        [
            .. wanted.Where(i => recorded[i + 1] != answers[i]).Select(i => $"recorded {recorded[i + 1]}\nnow      {answers[i]}"),
        ];
        Assert.True(
            differ.Length == 0,
            $"{differ.Length} of {wanted.Length} plans are others than those of {s_file}:\n{string.Join('\n', differ.Take(10))}"
        );
    }

    private const string Head =
        "policy,model,seqlen,device_mib,host_mib,machine,recipe,kind,rows,chunk,rounds,vocabulary_blocks,answer,device_bytes,host_bytes,"
            + "step_ns";

    /// <summary>Drawn from a seed: the record holds the same requests in the same order for good.</summary>
    private static List<Asked> All()
    {
        var random = new SeededDraws(400);
        var asked = new HashSet<Asked>();
        var inOrder = new List<Asked>();
        while (inOrder.Count < Requests)
        {
            var (model, lengths, devices, hosts) = s_work[inOrder.Count % s_work.Length];
            bool small = inOrder.Count % s_work.Length < 2;
            var policy = (PlanPolicy)random.Below(3);
            if (policy == PlanPolicy.Reference && model is not ("1b" or "8b" or "32b"))
            {
                policy = PlanPolicy.Auto;
            }

            string machine = small && random.Below(2) == 0 ? "cpu" : s_machines[random.Below(s_machines.Length)];
            if (policy == PlanPolicy.Reference && machine is not ("h100" or "a100" or "rtx3090" or "rtx5090"))
            {
                machine = "h100";
            }

            int seqlen = lengths[random.Below(lengths.Length)];
            bool pinned = policy != PlanPolicy.Reference && random.Below(4) == 0;
            int? chunk = pinned && random.Below(2) == 0 ? (seqlen >= 512 ? seqlen / 4 : seqlen * 2) : null;
            var one = new Asked
            {
                Policy = policy,
                Model = model,
                Seqlen = seqlen,
                Device = devices[random.Below(devices.Length)] + (small && machine != "cpu" ? 1300 : 0),
                Host = hosts[random.Below(hosts.Length)],
                Machine = machine,
                Recipe = policy == PlanPolicy.Reference ? Recipe.Bf16 : Recipe.All[random.Below(Recipe.All.Count)],
                Kind = policy == PlanPolicy.Reference ? WorkloadKind.Training : (WorkloadKind)Math.Max(0, random.Below(6) - 2),
                Rows = policy == PlanPolicy.Reference || random.Below(3) == 0 ? null : Math.Max(1, (small ? 2048 : 131072) / seqlen),
                Pins = new GeometryPins(ChunkTokens: chunk, VocabularyBlocks: pinned && chunk is null ? 4 : null),
            };
            if (asked.Add(one))
            {
                inOrder.Add(one);
            }
        }

        return inOrder;
    }

    private static string Answer(Asked asked)
    {
        try
        {
            using var source = ModelSource.Open(asked.Model);
            var machine = HardwareFiles.Load(asked.Machine);
            var budget = new MemoryBudget(new Bytes((long)asked.Host << 20), new Bytes((long)asked.Device << 20));
            if (asked.Policy == PlanPolicy.Reference)
            {
                return Answer(
                    SimulationAnswer.Of(
                        new SimulationRequest(asked.Model, source.Model, asked.Seqlen, budget, machine, asked.Policy),
                        search: null
                    )
                );
            }

            var request = new PlanRequest(source.Model, asked.Recipe, asked.Kind, asked.Seqlen, asked.Rows, asked.Pins, budget)
            {
                Reserve = machine.Reserve,
            };
            var result = Plans.Make(request, new PolicySettings(asked.Policy, machine, PlanCache.None));
            return result is PlanResult.Infeasible refused
                ? $"infeasible,{refused.SmallestDevice.Value},{refused.SmallestHost.Value},"
                : Of(
                    SimulatedStep.Of(
                        new SimulationRequest(asked.Model, source.Model, asked.Seqlen, budget, machine, asked.Policy, null, asked.Recipe),
                        ((PlanResult.Feasible)result).Plan
                    )
                );
        }
        catch (UserErrorException e)
        {
            return $"refused: {e.Message.Replace(',', ';')},,,";
        }
    }

    private static string Answer(SimulationAnswer answer) =>
        answer is SimulationAnswer.Feasible { Step: var step } ? Of(step) : "infeasible,,,";

    private static string Of(SimulatedStep step) =>
        string.Create(CultureInfo.InvariantCulture, $"{step.Hash},{step.Device.Value},{step.Host.Value},{1e9 * step.Seconds:0}");

    /// <summary>Numbers of a generator that is written out here, so that no release of the runtime draws others.</summary>
    private sealed class SeededDraws(ulong seed)
    {
        private ulong state = seed;

        public int Below(int bound)
        {
            state = (state * 6364136223846793005) + 1442695040888963407;
            return (int)((state >> 33) % (ulong)bound);
        }
    }
}
