using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>
/// Vocabularies of real size give what the Rust library gives over many scripts, code and emoji: three megabytes in a soak run, else a
/// tenth of them.
/// </summary>
[Trait("Slow", "true")]
[Trait("Soak", "true")]
public class RealVocabularyTests
{
    private static readonly int s_bytes = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 3_000_000 : 300_000;

    private static readonly Lazy<bool> s_fetched = new(Fetch);
    private static readonly ConcurrentDictionary<string, TextTokenizer> s_read = new();

    [Theory]
    [InlineData("qwen3")]
    [InlineData("llama3_1")]
    [InlineData("gemma3")]
    [InlineData("deepseek_v3")]
    public void Ids_and_texts_are_the_library_s(string name)
    {
        var ours = Tokenizer(name);
        using var library = new global::Tokenizers.DotNet.Tokenizer(PathOf(name));
        var texts = ManyScripts.Texts(s_bytes);
        var encoded = ours.EncodeIds(texts, addSpecialTokens: true);
        for (int i = 0; i < texts.Count; i++)
        {
            uint[] expected = library.Encode(texts[i]);
            if (!expected.Select(id => (int)id).SequenceEqual(encoded[i]))
            {
                string text = JsonSerializer.Serialize(texts[i]);
                Assert.Fail($"{text}\nexpected {string.Join(' ', expected)}\nactual   {string.Join(' ', encoded[i])}");
            }

            Assert.Equal(library.Decode(expected), ours.Decode(encoded[i], skipSpecialTokens: true));
            if (i % 50 == 0)
            {
                Assert.Equal(encoded[i], ours.Encode(texts[i], addSpecialTokens: true).TokenIds);
            }
        }
    }

    [Theory]
    [InlineData("qwen3")]
    [InlineData("llama3_1")]
    [InlineData("gemma3")]
    [InlineData("deepseek_v3")]
    public void Parts_of_a_text_that_is_cut_at_lines_have_its_ids(string name) => Assert.True(LineStartTests.Check(Tokenizer(name)));

    private static TextTokenizer Tokenizer(string name)
    {
        Assert.True(s_fetched.Value);
        return s_read.GetOrAdd(name, n => TextTokenizer.FromJson(File.ReadAllBytes(PathOf(n))));
    }

    private static string PathOf(string name) => Path.Combine(Repository.Root, ".cache", "tokenizers", name, "models", "tokenizer.json");

    private static bool Fetch()
    {
        using var fetch = Process.Start("sh", [Path.Combine(Repository.Root, "tests", "fetch-tokenizers.sh")]);
        fetch.WaitForExit();
        return fetch.ExitCode == 0;
    }
}
