using System.Security.Cryptography;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// The bits of every golden case in every recipe: gradients, and weights after two steps, clipped ones too, in a roomy plan and in the
/// tightest of the same geometry, which must agree. They may depend on the processor: a change of the engine that is not meant to change
/// results is held to a record that is made on the machine at hand before it (DATAFLOW_RECORD=write, into <c>.cache/records</c>) and
/// compared with after it (DATAFLOW_RECORD=compare). The suite takes one case, DATAFLOW_SOAK=1 all.
/// </summary>
public abstract class RecordConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly bool s_soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly string? s_record = Environment.GetEnvironmentVariable("DATAFLOW_RECORD");

    /// <summary>The cases.</summary>
    public static TheoryData<string> Cases => [.. s_soak ? GoldenCase.Names.Where(Affords) : ["llama-small"]];

    private static IEnumerable<Recipe> Recipes => s_soak || !Device.IsSlow ? Recipe.All : [Recipe.Bf16Stochastic];

    /// <summary>Of all recipes; on a slow device the sample is of one.</summary>
    [Trait("Soak", "true")]
    [Theory]
    [MemberData(nameof(Cases))]
    public void The_least_memory_gives_the_bits_of_the_most_and_of_the_record(string name)
    {
        var golden = new GoldenCase(name);
        string[] now = [.. Recipes.SelectMany(recipe => Lines(golden, recipe))];
        string folder = Path.GetFullPath(Path.Combine(golden.Folder, "..", "..", "..", ".cache", "records"));
        string file = Path.Combine(folder, $"{typeof(TDevice).Name}-{name}{(s_soak ? "" : "-sample")}.txt");
        if (s_record == "write")
        {
            Directory.CreateDirectory(folder);
            File.WriteAllLines(file, now);
        }
        else if (s_record == "compare")
        {
            Assert.Equal(File.ReadAllLines(file), now);
        }
    }

    private static IEnumerable<string> Lines(GoldenCase golden, Recipe recipe)
    {
        foreach (var kind in new[] { WorkloadKind.Gradients, WorkloadKind.Training, WorkloadKind.ClippedTraining })
        {
            var roomy = Verified(GoldenCase.Plan(golden.Request(recipe, kind)));
            var geometry = roomy.Workload.Geometry;
            var tight = Verified(GoldenCase.Tight(golden.Request(recipe, kind, pins: new GeometryPins(
                geometry.ChunkTokens, geometry.ChunksPerRound, geometry.Rounds, geometry.VocabularyBlocks, geometry.HeadTokens))));
            byte[] bits = Of(golden, roomy, 0);
            AssertSame(bits, Of(golden, tight, 3), $"{recipe.Name} {kind}: the least device memory");
            string hash = Convert.ToHexStringLower(SHA256.HashData(bits));
            yield return $"{golden.Model.Name} {recipe.Name} {kind} {hash}";
        }
    }

    private static byte[] Of(GoldenCase golden, TrainingPlan plan, int order)
    {
        if (plan.Workload.Kind == WorkloadKind.Gradients)
        {
            return Bits(Gradients(golden, plan, order));
        }

        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        var trainer = golden.Trainer(plan, device);
        float clip = plan.Workload.Kind == WorkloadKind.ClippedTraining ? 0.1f : float.PositiveInfinity;
        double loss = 0;
        for (int step = 0; step < 2; step++)
        {
            loss += trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, clip).Loss;
        }

        return Bits((loss, GoldenCase.Tensors(trainer.Weights)));
    }
}
