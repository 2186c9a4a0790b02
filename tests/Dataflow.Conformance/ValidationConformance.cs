using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// The loss on all of a file: each target that counts once, whatever rows a step has, how they are cut and what memory there is.
/// </summary>
public abstract class ValidationConformance<TDevice> : ConformanceSuite<TDevice>, IDisposable
    where TDevice : DeviceUnderTest, new()
{
    private const int Rows = 7;
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-test-");

    /// <summary>Case and tokens after the last whole row.</summary>
    public static TheoryData<string, int> Cases =>
        [.. Some<(string, int)>([("llama-documents", 71), ("llama-small", 20), ("llama-small", 0), ("qwen3-small", 2)], 1, "", 0)];

    /// <inheritdoc/>
    public void Dispose()
    {
        folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Seven rows and what does not fill an eighth: batches of 2, 3, 5 and 16 rows do not divide them, and the last has no second.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void All_of_a_file_counts_once_whatever_batch_chunk_and_budget(string name, int leftOver)
    {
        var golden = new GoldenCase(name);
        using var tokens = File(golden, leftOver);
        Assert.Equal((Rows + (leftOver > 1 ? 1 : 0), 0L), (tokens.RowCount, tokens.LeftOver));
        double want = ByDefinition(golden, tokens);
        (int Rows, int? Chunk, int Budget)[] all =
        [
            .. from rows in new[] { 1, 2, 3, 5, 16 }
               from chunk in new int?[] { null, golden.Seqlen / 2, golden.Seqlen, 2 * golden.Seqlen }
               from budget in new[] { 0, 1, 2 }
               select (rows, chunk, budget),
        ];
        foreach (var (rows, chunk, budget) in Some(all, 2, name, leftOver))
        {
            var request = golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(chunk)) with { Rows = rows };
            var plan = budget == 0 ? GoldenCase.Plan(request) : GoldenCase.Tight(request);
            plan =
                budget == 2
                    ? GoldenCase.Plan(request with { Budget = request.Budget with { Device = new Bytes(plan.DevicePeak.Value * 3 / 2) } })
                    : plan;
            Assert.Equal(want, Evaluated(golden, plan, trainer => trainer.EvaluateAll(tokens, () => false)!.Value), 1e-6);
        }
    }

    /// <summary>A step of one row, and a file of fewer tokens than one row has.</summary>
    [Fact]
    public void A_file_shorter_than_a_row_counts_whole()
    {
        var golden = new GoldenCase("llama-small");
        string path = Write(golden, "short.bin", 9);
        using var tokens = TokenFile.Open(path, golden.Seqlen, golden.Model.VocabSize, LastRow.Short);
        using var whole = TokenFile.Open(path, 8, golden.Model.VocabSize);
        Assert.Equal((1, 8), (tokens.RowCount, tokens.InputsOf(0)));
        double Loss(int rows) =>
            Evaluated(golden, GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Training) with { Rows = rows }), t =>
                t.EvaluateAll(tokens, () => false)!.Value
            );
        Assert.Equal(Alone(golden, whole, 0), Loss(1), 1e-6);
        Assert.Equal(Alone(golden, whole, 0), Loss(4), 1e-6);
    }

    /// <summary>Between two evaluation steps, not after all of them.</summary>
    [Fact]
    public void Evaluation_stops_when_it_is_told_to()
    {
        var golden = new GoldenCase("llama-small");
        using var tokens = File(golden, 0);
        int asked = 0;
        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Training) with { Rows = 2 });
        Evaluated(golden, plan, trainer =>
        {
            Assert.Null(trainer.EvaluateAll(tokens, () => ++asked == 3));
            return 0;
        });
        Assert.Equal(3, asked);
    }

    /// <summary>Each row in a step of its own, the short one as the row of a shorter sequence; weighed by the targets that count.</summary>
    private static double ByDefinition(GoldenCase golden, TokenFile tokens)
    {
        double sum = 0, counted = 0;
        foreach (var rows in Enumerable.Range(0, tokens.RowCount).GroupBy(tokens.InputsOf))
        {
            var request = golden.Request(Recipe.Fp32, WorkloadKind.Training) with { Seqlen = rows.Key, Rows = 1 };
            sum += Evaluated(golden, GoldenCase.Plan(request), trainer =>
                rows.Sum(row => Targets(row) * trainer.Evaluate(new OneRow(tokens, row), [0]))
            );
            counted += rows.Sum(Targets);
        }

        return sum / counted;

        // Of every document but one that goes on, the last target is another text's.
        int Targets(int row) => tokens.InputsOf(row) - (tokens.Documents(row)?.Count ?? 0);
    }

    private static double Alone(GoldenCase golden, TokenFile tokens, int row)
    {
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Training) with { Seqlen = tokens.RowLength - 1, Rows = 1 };
        return Evaluated(golden, GoldenCase.Plan(request), trainer => trainer.Evaluate(tokens, [row]));
    }

    private static double Evaluated(GoldenCase golden, TrainingPlan plan, Func<Trainer, double> evaluate)
    {
        var evaluation = Planner.Evaluation(plan);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        return evaluate(golden.Trainer(plan, device, new Executor(evaluation, beside)));
    }

    private TokenFile File(GoldenCase golden, int leftOver)
    {
        string path = Write(golden, "tokens.bin", (Rows * (golden.Seqlen + 1)) + leftOver);
        if (golden.Tokens().Documents(0) is not null)
        {
            string whole = string.Join(',', Enumerable.Range(1, Rows).Select(i => $"[{i},{golden.Seqlen - i - 1},1]"));
            System.IO.File.WriteAllText(Path.Combine(folder.FullName, "documents.json"), $"{{\"rows\": [{whole},[3,{leftOver - 4}]]}}");
        }

        return TokenFile.Open(path, golden.Seqlen, golden.Model.VocabSize, LastRow.Short);
    }

    private string Write(GoldenCase golden, string name, int count)
    {
        int[] ids = new int[count];
        new RandomTokens(1, count - 1, golden.Model.VocabSize).Read(0, ids);
        string path = Path.Combine(folder.FullName, name);
        System.IO.File.WriteAllBytes(path, [.. ids.SelectMany(BitConverter.GetBytes)]);
        return path;
    }

    /// <summary>One row of a source, without what a short one is filled up with.</summary>
    private sealed class OneRow(TokenFile tokens, int row) : ITokenSource
    {
        public int RowCount => 1;

        public int RowLength => tokens.InputsOf(row) + 1;

        public void Read(int first, Span<int> destination)
        {
            int[] all = new int[tokens.RowLength];
            tokens.Read(row, all);
            all.AsSpan(0, destination.Length).CopyTo(destination);
        }

        public IReadOnlyList<int>? Documents(int first) => tokens.Documents(row);
    }
}
