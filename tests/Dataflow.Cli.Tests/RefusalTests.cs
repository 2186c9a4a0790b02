using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli.Tests;

/// <summary>What a refusal suggests is tried here: it plans. Random requests are sampled; DATAFLOW_SOAK=1 takes many.</summary>
[Trait("Slow", "true")]
public class RefusalTests
{
    // Qwen3-32B's shape.
    private static readonly ModelConfig s_qwen = new()
    {
        Name = "qwen3-32b",
        VocabSize = 151936,
        ModelDim = 5120,
        LayerCount = 64,
        HeadCount = 64,
        KvHeadCount = 8,
        HeadDim = 128,
        FfnDim = 25600,
        RopeTheta = 1e6f,
        RmsNormEps = 1e-6f,
        TiedEmbedding = false,
        QkNorm = true,
    };

    private static readonly Lazy<HardwareProfile> s_h100 = new(() => HardwareFiles.Load("h100"));

    [Theory]
    [InlineData("simple")]
    [InlineData("auto")]
    public void A_step_of_fewer_tokens_is_named_where_it_fits_and_more_memory_is_not_at_hand(string policy)
    {
        // Gradients of one round are consumed where they are made, those of several have to be kept: 32 billion of them are 61 GiB in bf16.
        var question = Question("8b", 8192, device: 24, host: 192, PlanPolicies.Named(policy, PlanPolicies.Running), Recipe.Bf16) with
        {
            Model = s_qwen,
        };
        var refused = Assert.IsType<PlanResult.Infeasible>(Plans.Make(question));
        Assert.Contains("--global-batch 16384", refused.Changes);
        Assert.Contains("within these budgets --global-batch 16384", refused.Reason, StringComparison.Ordinal);
        Check(question, refused);
    }

    [Fact]
    [Trait("Soak", "true")]
    public void Whatever_is_suggested_to_random_requests_plans()
    {
        bool soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
        int seed = soak ? Environment.TickCount : 20261128, refusals = 0, changes = 0;
        var random = new Random(seed);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        for (int i = 0; i < (soak ? 300 : 6); i++)
        {
            string[] models = soak ? ["nano", "micro", "1b", "8b"] : ["nano", "micro", "1b"];
            int seqlen = 1 << random.Next(6, 14);
            int? Maybe(int value) => random.Next(3) == 0 ? value : null;
            var question = Question(
                models[random.Next(models.Length)],
                seqlen,
                1024,
                4096,
                (PlanPolicy)random.Next(2),
                Recipe.All[random.Next(Recipe.All.Count)]
            );
            question = question.With(s =>
                s with
                {
                    GlobalBatch = Maybe(seqlen * (1 << random.Next(6))),
                    Pins = new GeometryPins(Maybe(1 << random.Next(5, 14)), Rounds: Maybe(1 << random.Next(3))),
                    SaveSet = Maybe(random.Next((int)SaveSet.All + 1)) is { } set ? (SaveSet)set : null,
                    Clip = Maybe(1),
                }
            );
            try
            {
                // Somewhat less than would do, of one memory or of both.
                var limits = question.Limits();
                var device = Bytes.FromGiB(limits.LeastDevice(question.Budget.Host)!.Value.GiB * (0.6 + (2 * random.NextDouble())));
                var host = Bytes.FromGiB((limits.LeastHost(device) ?? question.Budget.Host).GiB * (0.6 + (0.5 * random.NextDouble())));
                question = question with { Budget = new MemoryBudget(host, device) };
                if (limits.Fits(question.Budget) || Plans.Make(question) is not PlanResult.Infeasible refused)
                {
                    continue;
                }

                Check(question, refused);
                refusals++;
                changes += refused.Changes.Length;
            }
            catch (UserErrorException)
            {
                // Pins that contradict each other are not refused for memory.
            }
        }

        Assert.True(refusals >= 2 && changes >= 4, $"{refusals} refusals with {changes} changes");
    }

    [Theory]
    [InlineData("simulate 8b --seqlen 8192 --device-memory 4 --host-memory 75 --hardware h100 --policy reference")]
    [InlineData("simulate 8b --seqlen 8192 --device-memory 24 --host-memory 30 --hardware h100 --policy reference")]
    [InlineData("simulate 8b --seqlen 8192 --device-memory 4 --host-memory 30 --hardware h100 --policy reference")]
    public void The_published_systems_budgets_are_its_own(string arguments)
    {
        string said = Programs.Refused(3, Programs.Dataflow(arguments));
        string[] words = arguments.Split(' ');
        var given = System.Text.RegularExpressions.Regex.Matches(said, @"at least (\d+\.\d{3}) GiB of (device|host) memory");
        Assert.NotEmpty(given);
        bool both = said.Contains("and, with that", StringComparison.Ordinal);
        foreach (var match in given.Take(both ? 1 : given.Count))
        {
            foreach (var one in both ? given.ToArray() : [match])
            {
                words[Array.IndexOf(words, $"--{one.Groups[2].Value}-memory") + 1] = one.Groups[1].Value;
            }

            Programs.Good(Programs.Dataflow(string.Join(' ', words)));
            words = arguments.Split(' ');
        }
    }

    /// <summary>Every budget and every change that the refusal names has a plan, proved; a MiB less of either budget has none.</summary>
    private static void Check(PlanQuestion question, PlanResult.Infeasible refused)
    {
        foreach (var pair in refused.Pairs)
        {
            Plans.Require(Plans.Make((question with { Budget = pair }).Request, question.By));
            Assert.False(
                (question with { Budget = pair with { Device = pair.Device - new Bytes(1 << 20) } }).Fits(),
                $"{question}: less device memory than {pair} would do"
            );
            Assert.False(
                (question with { Budget = pair with { Host = pair.Host - new Bytes(1 << 20) } }).Fits(),
                $"{question}: less host memory than {pair} would do"
            );
        }

        foreach (string change in refused.Changes)
        {
            var changed = question.With(s => Applied(s, change));
            Assert.True(
                changed.Fits() && Plans.Make(changed.Request, changed.By) is PlanResult.Feasible,
                $"{question}: {change} does not do"
            );
        }
    }

    /// <summary>The settings as the command line would have them with the change written on it.</summary>
    private static PlanOptions Applied(PlanOptions settings, string change) => change.Split(' ') switch
    {
        ["--global-batch", var tokens] => settings with { GlobalBatch = long.Parse(tokens) },
        ["--seqlen", var tokens] => settings with { Seqlen = int.Parse(tokens) },
        ["--dtype", var name] => settings with { Dtype = Values.RecipeNamed(name) },
        ["--save-set", var name] => settings with { SaveSet = SaveSets.Parse(name) },
        ["--chunk", var tokens] => settings with { Pins = settings.Pins with { ChunkTokens = int.Parse(tokens) } },
        ["no", "--chunk"] => settings with { Pins = settings.Pins with { ChunkTokens = null } },
        ["no", "--rounds"] => settings with { Pins = settings.Pins with { Rounds = null } },
        ["no", "--save-set"] => settings with { SaveSet = null },
        ["no", "--clip"] => settings with { Clip = null },
        _ => throw new InvalidOperationException($"{change} is no change that this test knows"),
    };

    private static PlanQuestion Question(string model, int seqlen, double device, double host, PlanPolicy policy, Recipe recipe)
    {
        using var source = ModelSource.Open(model);
        var budget = new MemoryBudget(Bytes.FromGiB(host), Bytes.FromGiB(device));
        return new PlanQuestion(
            new PlanOptions
            {
                Model = model,
                Seqlen = seqlen,
                DeviceMemory = budget.Device,
                HostMemory = budget.Host,
                Dtype = recipe,
                Hardware = s_h100.Value,
                Device = DeviceOptions.Cpu,
            },
            source.Model,
            budget,
            new PolicySettings(policy, s_h100.Value, PlanCache.None)
        );
    }
}
