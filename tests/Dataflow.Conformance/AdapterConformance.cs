using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Adapters that PEFT made: losses, gradients and five AdamW steps in float64, over tests/golden-lora.</summary>
public abstract class AdapterConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const char With = '+';
    private const string Dropped = "dropout";
    private static readonly string[] s_shapes = ["roomy", "tight", "chunks of 8"];

    /// <summary>Cases and shapes of a plan.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (name, number) in LoraCase.Names.Select((n, i) => (n, i)))
            {
                foreach (string shape in Some(s_shapes, 1, name, number))
                {
                    data.Add(name, shape);
                }
            }

            return data;
        }
    }

    /// <summary>Cases.</summary>
    public static TheoryData<string> Names => [.. Sample(LoraCase.Names)];

    /// <summary>Cases and recipes of steps in many memories.</summary>
    public static TheoryData<string, string> Memories =>
        [
            .. Sample<(string, string)>(
                [
                    ("all-linear", "fp32"),
                    ("phi3-fused", "bf16-sr"),
                    ("qwen3-tied-embedding", "fp32"),
                    ("all-linear", "bf16-master"),
                    ("head", "bf16"),
                    ("modules-to-save-norm", "fp32"),
                    ("regex", "fp32"),
                    ("dora", "bf16-sr"),
                    ("dora", "fp32"),
                    ("all-linear+dropout", "fp32"),
                    ("head+dropout", "bf16-sr"),
                    ("embedding", "bf16-sr"),
                    ("modules-to-save", "bf16"),
                    ("qlora-nf4", "fp32"),
                    ("phi3-fused+nf4", "bf16-sr"),
                    ("dora+nf4-nested", "fp32"),
                    ("qlora-nf4-nested", "bf16-master"),
                    ("qwen3-tied+int8", "bf16"),
                    ("all-linear+bf16", "fp32"),
                ]
            ),
        ];

    /// <summary>fp32: the bounds are rounding.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_those_of_PEFT(string name, string shape)
    {
        var golden = new LoraCase(name);
        var plan = Shaped(golden, WorkloadKind.Gradients, shape);
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var trainer = golden.Trainer(plan, device);
        double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-6);
        var gradients = GoldenCase.Tensors(trainer.Gradients);
        var want = golden.File("gradients.safetensors");
        Assert.Equal(want.Count, NamedParameter.All(golden.Model).Count(p => p.Spec.IsTrained));
        foreach (var (tensor, values) in want)
        {
            double error = GoldenCase.RelativeL2(gradients[OurName(tensor, gradients)], values);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    /// <summary>Losses before each step, how far every tensor of the adapter moved, and that nothing else did.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Five_steps_are_those_of_PEFT(string name, string shape)
    {
        var golden = new LoraCase(name);
        var plan = Shaped(golden, WorkloadKind.Training, shape);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var start = GoldenCase.Tensors(trainer.Weights);
        foreach (double want in golden.Losses)
        {
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            Assert.Equal(0, (loss - want) / want, 1e-5);
        }

        var trained = GoldenCase.Tensors(trainer.Weights);
        var gradients = golden.File("gradients.safetensors");
        foreach (var (tensor, want) in golden.File("trained_adapter.safetensors").Where(t => gradients.ContainsKey(t.Key)))
        {
            string ours = OurName(tensor, trained);
            double error = GoldenCase.RelativeChange(trained[ours], want, start[ours], gradients[tensor]);
            double bound = Math.Max(1e-4, 3 * golden.PyTorchError("pytorch_float32", "adamw_change_relative_l2", tensor));
            Assert.True(error <= bound, $"{tensor}: the change is off by {error:g3}, bound {bound:g3}");
        }

        Assert.All(
            NamedParameter.All(golden.Model).Where(p => !p.Spec.IsTrained),
            p => Assert.Equal(start[p.Name], trained[p.Name])
        );
    }

    /// <summary>Sequences that are continued with an adapter have the logits of base and adapter in float64.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_are_those_of_PEFT(string name)
    {
        var golden = new LoraCase(name);
        float[] want = golden.File("logits.safetensors").Values.Single();
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Generation, new GeometryPins(golden.Seqlen)) with
        {
            Rows = null,
            Cache = new CacheRequest(1, golden.Seqlen, golden.Seqlen),
        };
        var plan = Verified(GoldenCase.Tight(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        using var checkpoint = Checkpoint.Open(golden.BasePath);
        using var adapter = AdapterFolder.Open(golden.AdapterPath);
        var model = new CachedModel(plan.Workload, plan.Schedule, device);
        model.Load(golden.Weights(checkpoint, adapter));
        float[] got = new float[golden.Seqlen * golden.Model.VocabSize];
        int[] ids = new int[golden.Seqlen + 1];
        golden.Tokens().Read(0, ids);
        model.Continue(
            [new Continuation(model.Open(golden.Seqlen)!, ids.AsMemory(0, golden.Seqlen), golden.Seqlen)],
            (_, token, logits) => logits.CopyTo(got.AsSpan(token * golden.Model.VocabSize))
        );
        double error = GoldenCase.RelativeL2(got, want[..got.Length]);
        Assert.True(error <= 1e-5, $"relative error {error:g3}");
    }

    /// <summary>Two clipped or unclipped steps are the same bits in any memory, whatever is saved and in whichever order ops run.</summary>
    [Theory]
    [MemberData(nameof(Memories))]
    public void Budgets_save_sets_and_orders_do_not_change_a_bit(string name, string dtype)
    {
        string[] words = name.Split(With);
        var golden = new LoraCase(words[0]);
        golden = words is [_] ? golden
            : words[1] == Dropped ? golden.WithDropout(0.25)
            : golden.Storing(DTypes.OfBase.Single(t => t.Name() == words[1]));
        foreach (var kind in new[] { WorkloadKind.Training, WorkloadKind.ClippedTraining })
        {
            byte[]? want = null;
            SaveSet?[] sets = [null, SaveSet.None, SaveSet.All, SaveSet.Kv | SaveSet.Attention, SaveSet.Attention | SaveSet.Query];
            foreach (var (saved, number) in sets.Select((s, i) => (s, i)).Take(Device.IsSlow ? 2 : sets.Length))
            {
                foreach (bool tight in new[] { false, true })
                {
                    var request = golden.Request(Named(dtype), kind, new GeometryPins(8));
                    request = request with { SaveSet = saved };
                    var plan = Verified(tight ? GoldenCase.Tight(request) : GoldenCase.Plan(request));
                    Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, golden.Model.WithoutAdapter()));
                    using var device = Device.Open(plan.Schedule, plan.Workload, (2 * number) + (tight ? 1 : 0));
                    var trainer = golden.Trainer(plan, device);
                    double loss = 0;
                    for (int step = 0; step < 2; step++)
                    {
                        loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 0.1f).Loss;
                    }

                    byte[] got =
                    [
                        .. trainer.OptimizerState.SelectMany(s => Bits((0, GoldenCase.Tensors(s)))),
                        .. Bits((loss, GoldenCase.Tensors(trainer.Weights))),
                    ];
                    AssertSame(want ??= got, got, $"{kind} in {plan.Residency}");
                }
            }
        }
    }

    /// <summary>What the model calls a tensor of PEFT's file: modules that are trained as a whole have their own names.</summary>
    private static string OurName(string tensor, Dictionary<string, float[]> ours) =>
        ours.ContainsKey(tensor) ? tensor : tensor["base_model.model.".Length..];

    private static TrainingPlan Shaped(LoraCase golden, WorkloadKind kind, string shape)
    {
        var request = golden.Request(Recipe.Fp32, kind, shape == "chunks of 8" ? new GeometryPins(8) : null);
        return Verified(shape == "roomy" ? GoldenCase.Plan(request) : GoldenCase.Tight(request));
    }
}
