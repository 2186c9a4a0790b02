using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Eight steps of the libraries' own optimizers in float64, over tests/golden-optimizers: losses, rates, norms and how far every weight
/// moved.
/// </summary>
public abstract class OptimizerTrajectoryConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>All cases.</summary>
    public static TheoryData<string> Cases =>
        [
            .. Directory
                .GetDirectories(Root)
                .Select(f => Path.GetFileName(f)!)
                .Where(n => n != "accumulation" && File.Exists(Path.Combine(Root, n, "trained.safetensors")))
                .Order(StringComparer.Ordinal),
        ];

    private static string Root => Path.Combine(Path.GetDirectoryName(new GoldenCase("llama-small").Folder)! + "-optimizers");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Eight_steps_are_those_of_the_library(string name)
    {
        string folder = Path.Combine(Root, name);
        var golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json"))).RootElement;
        string from = Path.Combine(folder, golden.GetProperty("base").GetString()!);
        from = Directory.Exists(from) ? from : new GoldenCase(Path.GetFileName(from)).Folder;
        string[] frozen = golden.TryGetProperty("frozen", out var list) ? [.. list.EnumerateArray().Select(w => w.GetString()!)] : [];
        var model = ModelFiles.LoadConfig(from).Freezing(frozen);
        bool known = golden.TryGetProperty("block", out _); // of a base that has more positions than its rows
        int seqlen = known ? new GoldenCase("llama-small").Seqlen : model.MaxPositions!.Value;
        var tokens = TokenSources.Open(from, seqlen, model.VocabSize);
        float clip = golden.TryGetProperty("clip", out var limit) ? (float)limit.GetDouble() : float.PositiveInfinity;
        var (optimizer, settings) = Settings(golden);
        var groups = GroupsOf(golden, model);
        var request = new PlanRequest(
            model,
            Recipe.Fp32,
            float.IsFinite(clip) ? WorkloadKind.ClippedTraining : WorkloadKind.Training,
            seqlen,
            tokens.RowCount,
            new GeometryPins(32),
            GoldenCase.Roomy,
            null
        )
        {
            Optimizer = optimizer,
        };
        var plan = Verified(GoldenCase.Tight(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        using var checkpoint = Checkpoint.Open(from);
        var evaluation = Planner.Evaluation(plan);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, new Executor(evaluation, beside))
        {
            Updates = UpdateTable.Of(plan.Workload, groups, settings.LearningRate),
        };
        trainer.Load(checkpoint.WeightsOf(model));
        var start = GoldenCase.Tensors(trainer.Weights);
        int[] rows = [.. Enumerable.Range(0, tokens.RowCount)];
        double[] losses = Numbers(golden, "losses_before_each_step"), norms = Numbers(golden, "gradient_norm_before_clipping");
        double[] evaluated = Numbers(golden, "losses_at_x");
        float warmUp = golden.TryGetProperty("schedule_free", out var free) ? Math.Max(1, free.GetProperty("warmup_steps").GetInt32()) : 1;
        for (int step = 0; step < losses.Length; step++)
        {
            float rate = golden.TryGetProperty("schedule", out var schedule) ? Rate(schedule, step, golden) : settings.LearningRate;
            rate *= Math.Min(1, (step + 1f) / warmUp);
            var done = trainer.Step(tokens, rows, settings with { LearningRate = rate }, clip);
            Assert.Equal(0, (done.Loss - losses[step]) / losses[step], 1e-5);
            if (evaluated.Length > 0)
            {
                // What is evaluated takes the weights' place, and leaves them as they were, which the next losses show.
                Assert.Equal(0, (trainer.Evaluate(tokens, rows) - evaluated[step]) / evaluated[step], 1e-5);
            }

            if (norms.Length > 0)
            {
                Assert.Equal(0, (done.GradientNorm!.Value - norms[step]) / norms[step], 1e-5);
            }
        }

        Assert.All(frozen, weight => Assert.Equal(start[weight], GoldenCase.Tensors(trainer.Weights)[weight]));
        Compare(Path.Combine(folder, "trained.safetensors"), GoldenCase.Tensors(trainer.State.Trained), start, golden);
        if (optimizer.KeepsAverage)
        {
            Compare(Path.Combine(folder, "ema.safetensors"), GoldenCase.Tensors(trainer.State.Finest), start, golden);
        }

        if (optimizer.TrainsAverage)
        {
            Compare(Path.Combine(folder, "y.safetensors"), GoldenCase.Tensors(trainer.Weights), start, golden);
            Compare(Path.Combine(folder, "z.safetensors"), GoldenCase.Tensors(trainer.OptimizerState[0]), start, golden);
        }
    }

    private static void Compare(
        string path, Dictionary<string, float[]> trained, Dictionary<string, float[]> start, JsonElement golden)
    {
        using var file = SafetensorsFile.Open(path);

        // Of 8-bit moments one ulp in one weight moves the change by 4e-4: a code is another one.
        var yardstick = golden.TryGetProperty("pytorch_float32", out var torch)
            ? torch.GetProperty("change_relative_l2").GetProperty("per_tensor")
            : golden.GetProperty("deviation_of_change_from_exact_moments").GetProperty("per_tensor");
        bool inBlocks = golden.TryGetProperty("block", out _);
        foreach (var tensor in file.Tensors.Where(t => yardstick.TryGetProperty(t.Name, out _)))
        {
            float[] want = new float[tensor.Count];
            tensor.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(want.AsSpan()), DType.Float32);
            double error = GoldenCase.RelativeL2(Moved(trained[tensor.Name], start[tensor.Name]), Moved(want, start[tensor.Name]));
            double bound = inBlocks ? 1e-3 : Math.Max(1e-4, 3 * yardstick.GetProperty(tensor.Name).GetDouble());
            Assert.True(error <= bound, $"{tensor.Name}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }

    private static (Optimizer Optimizer, OptimizerSettings Settings) Settings(JsonElement golden)
    {
        float Get(JsonElement of, string key) => (float)of.GetProperty(key).GetDouble();
        if (golden.TryGetProperty("muon", out var muon))
        {
            var rest = golden.GetProperty("adamw");
            double[] coefficients = Numbers(muon, "ns_coefficients"), betas = Numbers(rest, "betas");
            return (
                Optimizer.Muon,
                new(Get(muon, "lr"), (float)betas[0], (float)betas[1], Get(rest, "eps"), Get(muon, "weight_decay"))
                {
                    Momentum = Get(muon, "momentum"),
                    Nesterov = muon.GetProperty("nesterov").GetBoolean() ? 1 : 0,
                    MatchRms = muon.GetProperty("adjust_lr_fn").GetString() == "match_rms_adamw" ? 1 : 0,
                    NewtonSchulzSteps = muon.GetProperty("ns_steps").GetInt32(),
                    NewtonSchulzA = (float)coefficients[0],
                    NewtonSchulzB = (float)coefficients[1],
                    NewtonSchulzC = (float)coefficients[2],
                }
            );
        }

        if (golden.TryGetProperty("adamw", out var adamW) && golden.TryGetProperty("block", out _))
        {
            double[] betas = Numbers(adamW, "betas");
            return (
                Optimizer.AdamW8Bit,
                new(Get(adamW, "lr"), (float)betas[0], (float)betas[1], Get(adamW, "eps"), Get(adamW, "weight_decay"))
            );
        }

        if (golden.TryGetProperty("adamw", out adamW))
        {
            // Of several the last, whose numbers are those of the products.
            var group = golden.TryGetProperty("groups", out var groups) ? groups.EnumerateArray().Last() : adamW;
            bool averages = golden.TryGetProperty("ema_decay", out var decay);
            return (
                averages ? Optimizer.AdamW.Averaged! : Optimizer.AdamW,
                new(Get(group, "lr"), Get(adamW, "beta1"), Get(adamW, "beta2"), Get(adamW, "eps"), Get(group, "weight_decay"))
                {
                    AverageDecay = averages ? (float)decay.GetDouble() : 0,
                }
            );
        }

        if (golden.TryGetProperty("lion", out var lion))
        {
            // Its decoupled decay is by the share of the first rate: here the whole of it.
            bool whole = golden.GetProperty("optimizer").GetString()!.Contains("decoupled", StringComparison.Ordinal);
            float decay = Get(lion, "weight_decay") / (whole ? Get(lion, "lr") : 1);
            return (Optimizer.Lion, new(Get(lion, "lr"), Get(lion, "beta1"), Get(lion, "beta2"), 0, decay));
        }

        if (golden.TryGetProperty("schedule_free", out var free))
        {
            return (
                Optimizer.ScheduleFree,
                new(Get(free, "lr"), Get(free, "beta1"), Get(free, "beta2"), Get(free, "eps"), Get(free, "weight_decay"))
                {
                    StepPower = Get(free, "r"),
                    RatePower = Get(free, "weight_lr_power"),
                }
            );
        }

        var sgd = golden.GetProperty("sgd");
        return (
            Optimizer.Sgd,
            new OptimizerSettings(Get(sgd, "lr"), 0, 0, 0, Get(sgd, "weight_decay"))
            {
                Momentum = Get(sgd, "momentum"),
                Nesterov = sgd.GetProperty("nesterov").GetBoolean() ? 1 : 0,
            }
        );
    }

    /// <summary>All that the case has, but the last, by the names of their weights.</summary>
    private static ParameterGroups GroupsOf(JsonElement golden, ModelConfig model) =>
        golden.TryGetProperty("muon_weights", out var matrices) ? new() { Groups = [Rest(golden, matrices, model)] }
        : golden.TryGetProperty("groups", out var groups)
            ? new()
            {
                Groups =
                [
                    .. groups
                        .EnumerateArray()
                        .SkipLast(1)
                        .Select(g => new ParameterGroup(
                            NamePattern.Parse(string.Join('|', g.GetProperty("weights").EnumerateArray().Select(w => w.GetString())))
                        )
                        {
                            Rate = (float)g.GetProperty("lr").GetDouble(),
                            Decay = (float)g.GetProperty("weight_decay").GetDouble(),
                        }),
                ],
            }
            : ParameterGroups.None;

    /// <summary>What Muon leaves to AdamW, with that one's numbers.</summary>
    private static ParameterGroup Rest(JsonElement golden, JsonElement matrices, ModelConfig model)
    {
        var names = WeightNames.Enumerate(model).Select(w => w.Name).Except(matrices.EnumerateArray().Select(m => m.GetString()!));
        return new ParameterGroup(NamePattern.Parse(string.Join('|', names)))
        {
            Rate = (float)golden.GetProperty("adamw").GetProperty("lr").GetDouble(),
            Decay = (float)golden.GetProperty("adamw").GetProperty("weight_decay").GetDouble(),
        };
    }

    private static float Rate(JsonElement schedule, int step, JsonElement golden)
    {
        var rates = LearningRateSchedule.Of(
            $"transformers:{schedule.GetProperty("kind")}",
            null,
            new ScheduleSpan(
                schedule.GetProperty("base_lr").GetDouble(),
                schedule.GetProperty("steps").GetInt64(),
                schedule.GetProperty("warmup_steps").GetInt64()
            )
        );
        Assert.Equal(Numbers(golden, "lr_of_each_step")[step], rates.At(step), 1e-15);
        return (float)rates.At(step);
    }

    private static double[] Numbers(JsonElement golden, string name) =>
        golden.TryGetProperty(name, out var all) ? [.. all.EnumerateArray().Select(l => l.GetDouble())] : [];

    private static float[] Moved(float[] to, float[] from) => [.. to.Zip(from, (a, b) => a - b)];
}
