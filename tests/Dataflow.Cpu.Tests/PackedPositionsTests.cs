using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>Positions that depend on how long a document is are those of a row, which is one document then.</summary>
public sealed class PackedPositionsTests
{
    [Theory]
    [InlineData("phi3-longrope-long", "LongRope")]
    [InlineData("llama-rope-dynamic", "Dynamic")]
    public void Documents_packed_in_a_row_are_refused(string name, string kind)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Training));
        using var device = new CpuDevice(plan.Schedule, plan.Workload, threads: 1);
        var trainer = golden.Trainer(plan, device);
        string message = Assert
            .Throws<UserErrorException>(() => trainer.Step(new Halves(golden.Tokens()), golden.AllRows, golden.AdamW))
            .Message;
        Assert.Contains($"row 0 packs 2 documents, and the positions of {name} ({kind}) depend", message, StringComparison.Ordinal);
    }

    private sealed class Halves(ITokenSource rows) : ITokenSource
    {
        public int RowCount => rows.RowCount;

        public int RowLength => rows.RowLength;

        public void Read(int row, Span<int> destination) => rows.Read(row, destination);

        public IReadOnlyList<int> Documents(int row) => [(RowLength - 1) / 2, RowLength - 1 - ((RowLength - 1) / 2)];
    }
}
