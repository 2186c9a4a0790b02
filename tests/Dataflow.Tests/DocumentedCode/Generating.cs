using Dataflow.Generation;

namespace Dataflow.Tests.DocumentedCode;

/// <summary>What documentation shows of generation. It copies the region, which is run by <see cref="DocumentedCodeTests"/>.</summary>
internal static class Generating
{
    public static async Task Continue(string folder)
    {
        // <snippet generate>
        using var generator = TextGenerator.Open(new GenerationOptions
        {
            Plan = new PlanOptions { Model = folder, Seqlen = 128, Device = DeviceOptions.Cpu },
            MaxTokens = 20,
            Sampling = new SamplingSettings { Temperature = 0.7, Seed = 1 },
        });
        int[] prompt = generator.Texts!.Encode("Once upon a time");
        await foreach (var piece in generator.ContinueAsync([prompt]))
        {
            Console.Write(piece.Text);
        }
        // </snippet>
    }
}
