using System.Security.Cryptography;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>
/// A published model, which is not in the repository: DATAFLOW_GGUF names its file, DATAFLOW_GGUF_SHA256 what its weights in BF16 have as
/// model.safetensors, DATAFLOW_GGUF_FOLDER its folder with the tokenizer that the file was made from.
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

    private static TextTokenizer Tokenizer(string folder) =>
        TextTokenizer.FromJson(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
}
