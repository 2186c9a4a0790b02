using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>A tokenizer.model gives what SentencePiece gives: ids, offsets, texts; a damaged one ends in a sentence.</summary>
public class SentencePieceTests
{
    public static TheoryData<string> Cases => GoldenTokenizers.CasesWith("tokenizer.model");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Texts_become_the_same_pieces_and_back(string name)
    {
        var tokenizer = Read(name, false, false);
        foreach (var line in GoldenTokenizers.Lines($"{name}/expected.jsonl"))
        {
            string text = line.Text("text");
            int[] ids = line.Numbers("spm_ids");
            var encoded = tokenizer.Encode(text, false);
            Assert.True(
                ids.SequenceEqual(encoded.TokenIds),
                $"{JsonSerializer.Serialize(text)}\n{string.Join(' ', ids)}\n{string.Join(' ', encoded.TokenIds)}");
            Assert.Equal(line.Pairs("spm_offsets"), encoded.Offsets.Select(o => (o.Start, o.End)));
            Assert.Equal(ids, tokenizer.EncodeIds(text, true));
            Assert.Equal(line.Text("spm_decoded"), tokenizer.Decode(ids, false));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_begins_and_ends_texts_is_put_around_them_where_it_is_asked_for(string name)
    {
        var tokenizer = Read(name, true, true);
        var ids = tokenizer.EncodeIds("The ferry", false);
        Assert.Equal([1, .. ids, 2], tokenizer.EncodeIds("The ferry", true));
        Assert.Equal("The ferry", tokenizer.Decode([1, .. ids, 2], true));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Streams_show_what_their_beginnings_decode_to(string name)
    {
        var tokenizer = Read(name, false, false);
        var stream = tokenizer.Stream(false);
        var ids = new List<int>();
        string shown = "";
        foreach (int id in GoldenTokenizers.Lines($"{name}/expected.jsonl").Take(120).SelectMany(l => l.Numbers("spm_ids")))
        {
            ids.Add(id);
            shown += stream.Next(id);
        }

        Assert.Equal(tokenizer.Decode(ids, false), shown + stream.Finish());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Damaged_files_end_in_a_sentence_or_are_read(string name)
    {
        byte[] file = GoldenTokenizers.File($"{name}/tokenizer.model");
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = i % 2 == 0 ? file[..random.Next(file.Length)] : [.. file];
            if (damaged.Length > 0)
            {
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
                damaged[random.Next(Math.Min(damaged.Length, 64))] ^= (byte)(1 << random.Next(8));
            }

            try
            {
                TextTokenizer.FromSentencePiece(damaged, true, true).EncodeIds("The ferry \u00BD leaves", true);
            }
            catch (UserErrorException e)
            {
                Assert.DoesNotContain('\n', e.Message.Trim());
            }
        }
    }

    private static TextTokenizer Read(string name, bool begin, bool end) =>
        TextTokenizer.FromSentencePiece(GoldenTokenizers.File($"{name}/tokenizer.model"), begin, end);
}
