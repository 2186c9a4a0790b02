// Trains on rows of the program's own: sums in decimal digits, two short documents packed into each row.
//     dotnet run custom-data.cs
#:package Dataflow@0.1.0
#:property PublishAot=false
using System.Text;
using Dataflow;
using Dataflow.Training;

var options = new TrainingOptions
{
    Plan = new PlanOptions
    {
        Model = "nano",
        Seqlen = Sums.Length,
        DeviceMemory = Values.Size("8MiB"),
        HostMemory = Values.Size("64MiB"),
        GlobalBatch = 16 * Sums.Length,
        Device = DeviceOptions.Cpu,
    },
    Source = new Sums(rows: 4096),
    Steps = 5,
};
using var run = TrainingRun.Prepare(options);
foreach (var step in run.Steps())
{
    Console.WriteLine($"step {step.Step.Step}: loss {step.Step.Loss:0.0000} over {step.Step.Tokens} tokens");
}

/// <summary>Rows of two sums, a document each: a function of the row's number, so that any row can be read at any time.</summary>
internal sealed class Sums(int rows) : ITokenSource
{
    public const int Length = 32;

    public int RowCount => rows;

    public int RowLength => Length + 1;

    public void Read(int row, Span<int> destination)
    {
        destination.Clear();
        for (int document = 0; document < 2; document++)
        {
            var random = new Random((row * 2) + document);
            var (a, b) = (random.Next(1000), random.Next(1000));
            byte[] text = Encoding.ASCII.GetBytes($"{a} + {b} = {a + b}\n");
            for (int i = 0; i < text.Length; i++)
            {
                destination[(document * Length / 2) + i] = text[i];
            }
        }
    }

    public IReadOnlyList<int> Documents(int row) => [Length / 2, Length / 2];

    public bool HasWeights => true;

    // All are 1 before the call: here the losses of a row's first sum count half.
    public void ReadWeights(int row, Span<float> weights) => weights[..(Length / 2)].Fill(0.5f);
}
