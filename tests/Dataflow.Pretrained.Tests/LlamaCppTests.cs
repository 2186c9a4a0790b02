using Dataflow.Formats;
using Dataflow.Formats.Tests;

namespace Dataflow.Pretrained.Tests;

/// <summary>Exports of the model as llama.cpp reads them: it goes on as this engine does, and finds texts as likely.</summary>
[Trait("Slow", "true")]
public sealed class LlamaCppTests(PretrainedModel model, ITestOutputHelper output) : IClassFixture<PretrainedModel>
{
    private const int Most = 64;
    private const double NoMatter = 1e-3;

    [Fact]
    public void It_continues_the_F32_export_as_this_engine_does()
    {
        int[][] prompts = [.. model.Reference.Value.Continuations.Select(c => c.Prompt)];
        int[][] ours = model.Engine("safetensors", tight: false).Continue(prompts, Most, ignoreEnd: true);
        using var judge = new LlamaCpp(Export(GgufType.F32), prompts.Max(p => p.Length) + Most);
        for (int p = 0; p < prompts.Length; p++)
        {
            float[][] logits = judge.Logits([.. prompts[p], .. ours[p]]);
            int sure = 0;
            for (; sure < ours[p].Length; sure++)
            {
                float[] row = logits[prompts[p].Length - 1 + sure];
                var best = row.Select((value, id) => (value, id)).OrderByDescending(l => l.value).Take(2).ToList();
                if (best[0].value - best[1].value < NoMatter)
                {
                    break;
                }

                Assert.Equal(best[0].id, ours[p][sure]);
            }

            output.WriteLine($"prompt {p}: {sure} tokens alike");
        }
    }

    [Theory]
    [InlineData(GgufType.F32, 0.995, 0.005)]
    [InlineData(GgufType.BF16, 0.98, 0.005)]
    [InlineData(GgufType.Q8_0, 0.97, 0.01)]
    [InlineData(GgufType.Q4_0, 0.90, 0.05)]
    public void On_the_same_file_it_names_the_same_best_tokens(GgufType type, double alike, double within)
    {
        string file = Export(type), folder = model.Scratch($"again-{type}");
        ModelConversion.Import(file, folder, new GgufImportOptions { Type = Training.StoredType.F32 });
        var engine = new Engine(folder, tight: false);

        // Along our own tokens: so many after each prompt.
        int[][] prompts = [.. model.Reference.Value.Continuations.Select(c => c.Prompt)];
        int each = model.IsGiven ? 250 : 32;
        int[][] ours = model.Engine("safetensors", tight: false).Continue(prompts, each, ignoreEnd: true);
        using var judge = new LlamaCpp(file, Math.Max(512, prompts.Max(p => p.Length) + each));
        int same = 0, all = 0;
        for (int p = 0; p < prompts.Length; p++)
        {
            int[] path = [.. prompts[p], .. ours[p]];
            float[][] theirs = judge.Logits(path);
            foreach (var (token, logits) in engine.Logits(path, Enumerable.Range(prompts[p].Length - 1, each)))
            {
                all++;
                same += Best(logits) == Best(theirs[token]) ? 1 : 0;
            }
        }

        var (_, ids, losses) = model.Reference.Value.Texts[0];
        int length = losses.Keys.Min(), segments = Math.Min(4, (ids.Length - 1) / length);
        double their = 0;
        for (int s = 0; s < segments; s++)
        {
            float[][] theirs = judge.Logits(ids[(s * length)..((s + 1) * length)]);
            for (int t = 0; t < length; t++)
            {
                their += Engine.LossOf(theirs[t], ids[(s * length) + t + 1]) / (segments * length);
            }
        }

        double our = engine.Losses(ids[..((segments * length) + 1)], length).Average(l => (double)l);
        output.WriteLine(
            $"{type}: {same} of {all} best tokens alike ({100.0 * same / all:0.00}%); loss {our:0.00000}, llama.cpp {their:0.00000}");
        Assert.True(same >= alike * all, $"{type}: {same} of {all} best tokens are alike");
        Assert.Equal(1, Math.Exp(our - their), within);
    }

    private static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }

    private string Export(GgufType type)
    {
        string file = model.Scratch($"{type}.gguf");
        if (!File.Exists(file))
        {
            ModelConversion.Export(new ExportRequest { Source = model.Safetensors, Destination = file, Type = type });
        }

        return file;
    }
}
