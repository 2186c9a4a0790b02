using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>
/// A published model, which is not in the repository: DATAFLOW_GGUF names its file, DATAFLOW_GGUF_SHA256 what its weights in BF16 have as
/// model.safetensors, DATAFLOW_GGUF_FOLDER its folder with the tokenizer that the file was made from, and with what transformers computes.
/// </summary>
public class RealModelTests
{
    [Fact(Explicit = true)]
    public void A_published_file_becomes_the_folder_that_it_was_made_from()
    {
        string Named(string name) =>
            Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"set {name}");
        using var folder = new TemporaryFolder();
        var made = GgufImport.Write(Named("DATAFLOW_GGUF"), folder["m"], new() { Type = StoredType.BF16 });
        using (var weights = File.OpenRead(Path.Combine(folder["m"], "model.safetensors")))
        {
            Assert.Equal(Named("DATAFLOW_GGUF_SHA256"), Convert.ToHexStringLower(SHA256.HashData(weights)));
        }

        string original = Named("DATAFLOW_GGUF_FOLDER");
        Assert.Equal(ModelFiles.LoadConfig(original) with { Name = "m" }, ModelFiles.LoadConfig(folder["m"]) with { Name = "m" });
        var (before, after) = (Tokenizer(original), Tokenizer(folder["m"]));
        foreach (string file in Directory.GetFiles(original, "*.txt", SearchOption.AllDirectories))
        {
            string text = File.ReadAllText(file);
            Assert.Equal(before.EncodeIds(text, false), after.EncodeIds(text, false));
            Assert.Equal(before.EncodeIds(text, true), after.EncodeIds(text, true));
        }

        Assert.NotEmpty(made.Files);
    }

    [Fact(Explicit = true)]
    public void Its_export_computes_in_llama_cpp_what_transformers_does()
    {
        const int length = 512, segments = 4;
        string reference = Path.Combine(Environment.GetEnvironmentVariable("DATAFLOW_GGUF_FOLDER")!, "reference");
        int[] ids = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(reference, "genesis.ids.bin"))).ToArray();
        float[] losses = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(reference, "genesis.losses_512.bin"))).ToArray();
        using var folder = new TemporaryFolder();
        GgufImport.Write(Environment.GetEnvironmentVariable("DATAFLOW_GGUF")!, folder["m"], new() { Type = StoredType.BF16 });
        foreach (var (type, within) in new[] { (GgufType.F32, 1e-5), (GgufType.BF16, 5e-3), (GgufType.Q8_0, 1e-2) })
        {
            Families.Export(folder["m"], folder["m.gguf"], type);
            using var judge = new LlamaCpp(folder["m.gguf"], length);
            string text = File.ReadAllText(Path.Combine(reference, "genesis.txt"));
            Assert.Equal(ids, judge.Ids(text, special: true));
            double sum = 0, most = 0;
            for (int s = 0; s < segments; s++)
            {
                float[][] logits = judge.Logits(ids[(s * length)..((s + 1) * length)]);
                for (int t = 0; t < length; t++)
                {
                    double largest = logits[t].Max();
                    double loss = Math.Log(logits[t].Sum(l => Math.Exp(l - largest))) + largest - logits[t][ids[(s * length) + t + 1]];
                    sum += loss;
                    most = Math.Max(most, Math.Abs(loss - losses[(s * length) + t]));
                }
            }

            double mean = losses.Take(segments * length).Average();
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{type}: {sum / (segments * length):F6}, transformers {mean:F6}, most {most:F6}");
            Assert.InRange(sum / (segments * length), mean - within, mean + within);
            Assert.True(type != GgufType.F32 || most < 5e-4, $"{most}");
        }
    }

    private static TextTokenizer Tokenizer(string folder) =>
        TextTokenizer.FromJson(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
}
