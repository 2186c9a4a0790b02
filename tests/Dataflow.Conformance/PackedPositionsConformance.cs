using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Positions that depend on a document's length: packed in a row with others, a short document and a long one are what they are alone.
/// </summary>
public abstract class PackedPositionsConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Both ways to stretch positions that look at lengths, each with documents on either side of the original length.</summary>
    public static TheoryData<string, int, int[]> Cases => new()
    {
        { "phi3-longrope-long", 32, new[] { 9, 36, 3 } },
        { "llama-rope-dynamic", 32, new[] { 40, 8 } },
        { "llama-rope-dynamic", 16, new[] { 11, 37 } },
    };

    /// <summary>A packed row's gradient is the mean of its documents', by the targets that they count.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Packed_documents_have_the_loss_and_gradients_that_they_have_alone(string name, int chunk, int[] lengths)
    {
        var golden = GoldenCase.OfFamily(name);
        int[] row = new int[golden.Seqlen + 1];
        golden.Tokens().Read(0, row);
        var (loss, got) = Of(golden, row[..(lengths.Sum() + 1)], lengths, chunk);

        int counted = lengths.Sum(l => l - 1), begin = 0;
        double sum = 0;
        var want = got.ToDictionary(t => t.Key, t => new float[t.Value.Length]);
        foreach (int length in lengths)
        {
            var alone = Of(golden, row[begin..(begin + length + 1)], [length], Math.Min(chunk, length));
            sum += alone.Loss * (length - 1);
            foreach (var (tensor, gradient) in alone.Tensors)
            {
                for (int i = 0; i < gradient.Length; i++)
                {
                    want[tensor][i] += gradient[i] * (length - 1) / counted;
                }
            }

            begin += length;
        }

        Assert.Equal(0, (loss - (sum / counted)) / loss, 1e-6);
        foreach (var (tensor, gradient) in got)
        {
            double error = GoldenCase.RelativeL2(gradient, want[tensor]);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    private static (double Loss, Dictionary<string, float[]> Tensors) Of(GoldenCase golden, int[] row, int[] documents, int chunk)
    {
        var request = new PlanRequest(
            golden.Model, Recipe.Fp32, WorkloadKind.Gradients, row.Length - 1, 1, new GeometryPins(chunk), GoldenCase.Roomy, SaveSet: null);
        var plan = GoldenCase.Plan(request);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(new Packed(row, documents), [0], golden.AdamW);
        return (report.Loss, GoldenCase.Tensors(trainer.Gradients));
    }

    private sealed class Packed(int[] row, int[] documents) : ITokenSource
    {
        public int RowCount => 1;

        public int RowLength => row.Length;

        public void Read(int index, Span<int> destination) => row.CopyTo(destination);

        public IReadOnlyList<int> Documents(int index) => documents;
    }
}
