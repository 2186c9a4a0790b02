using System.Text.Json;

namespace Dataflow.Text.Tests;

/// <summary>Every golden tokenizer gives what the Rust library gives: ids, offsets, texts, pairs.</summary>
public class GoldenTokenizerTests
{
    public static TheoryData<string> Cases => GoldenTokenizers.CasesWith("expected.jsonl");

    public static TheoryData<string> Decodings => GoldenTokenizers.CasesWith("decode.jsonl");

    public static TheoryData<string> PairCases => GoldenTokenizers.CasesWith("pairs.jsonl");

    [Fact]
    public void There_are_29_of_them() => Assert.Equal(29, Cases.Count);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Texts_become_the_same_ids(string name)
    {
        var tokenizer = GoldenTokenizers.Tokenizer(name);
        foreach (var line in GoldenTokenizers.Lines($"{name}/expected.jsonl"))
        {
            string text = line.Text("text");
            Same(text, line.Numbers("ids"), tokenizer.Encode(text, false).TokenIds);
            Same(text, line.Numbers("ids_special"), tokenizer.Encode(text, true).TokenIds);
            Same(text, line.Numbers("ids"), tokenizer.EncodeIds(text, false));
            Same(text, line.Numbers("ids_special"), tokenizer.EncodeIds(text, true));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tokens_stand_for_the_same_code_points(string name)
    {
        var tokenizer = GoldenTokenizers.Tokenizer(name);
        foreach (var line in GoldenTokenizers.Lines($"{name}/expected.jsonl"))
        {
            string text = line.Text("text");
            Same(text, line.Pairs("offsets"), tokenizer.Encode(text, false).Offsets.Select(o => (o.Start, o.End)));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Ids_become_the_same_texts(string name) => Decode(name, "expected.jsonl");

    [Theory]
    [MemberData(nameof(Decodings))]
    public void Ids_that_no_text_gives_become_the_same_texts(string name) => Decode(name, "decode.jsonl");

    [Theory]
    [MemberData(nameof(PairCases))]
    public void Two_texts_become_the_same_ids_and_types(string name)
    {
        var tokenizer = GoldenTokenizers.Tokenizer(name);
        foreach (var line in GoldenTokenizers.Lines($"{name}/pairs.jsonl"))
        {
            string text = line.Text("text");
            var special = tokenizer.Encode(text, line.Text("pair"), true);
            Same(text, line.Numbers("ids_special"), special.TokenIds);
            Same(text, line.Numbers("type_ids"), special.TypeIds);
            Same(text, line.Numbers("ids"), tokenizer.Encode(text, line.Text("pair"), false).TokenIds);
        }
    }

    private static void Decode(string name, string file)
    {
        var tokenizer = GoldenTokenizers.Tokenizer(name);
        foreach (var line in GoldenTokenizers.Lines($"{name}/{file}"))
        {
            int[] ids = line.Numbers("ids");
            Assert.Equal(line.Text("decoded"), tokenizer.Decode(ids, false));
            Assert.Equal(line.Text("decoded_skip"), tokenizer.Decode(ids, true));
        }
    }

    private static void Same<T>(string text, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        if (!expected.SequenceEqual(actual))
        {
            Assert.Fail($"{JsonSerializer.Serialize(text)}\nexpected {string.Join(' ', expected)}\nactual   {string.Join(' ', actual)}");
        }
    }
}
