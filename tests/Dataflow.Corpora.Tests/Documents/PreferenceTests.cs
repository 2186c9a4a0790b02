using System.Text;
using Dataflow.Model;

namespace Dataflow.Corpora.Tests.Documents;

/// <summary>Two answers to one prompt: how they are read, which of their tokens count, and that they stay together.</summary>
public sealed class PreferenceTests : IDisposable
{
    private readonly SourceFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Texts_are_prompt_and_answer_twice()
    {
        var passage = Assert.Single(folder.Read("a.jsonl", """{"id": 3, "rejected": " no", "chosen": " yes", "prompt": "Is it?"}"""));
        Assert.Equal((DocumentKind.Preference, "Is it? yes", "Is it? no", 6, false),
            (passage.Kind, passage.Text, passage.Rejected, passage.PromptLength, passage.IsOfTurns));
        Assert.Equal("Is it?[ yes<|end|>]|Is it?[ no<|end|>]", Shown(Given.Rules, passage));
    }

    /// <summary>The prompt as turns of its own, in both answers, or as a text besides; a system message is the prompt's.</summary>
    [Theory]
    [InlineData("\"prompt\": [U], \"chosen\": [I], \"rejected\": [Y]")]
    [InlineData("\"chosen\": [U, I], \"rejected\": [U, Y]")]
    [InlineData("\"prompt\": \"Who?\", \"chosen\": [U, I], \"rejected\": [U, Y], \"score\": 2")]
    public void Turns_are_the_conversation_with_either_answer(string form)
    {
        static string Turn(string role, string text) => $$"""{"role": "{{role}}", "content": "{{text}}"}""";
        string line = "{" + form.Replace("U", Turn("user", "Who?"), StringComparison.Ordinal)
            .Replace("[I", "[" + Turn("assistant", "I."), StringComparison.Ordinal)
            .Replace(", I", ", " + Turn("assistant", "I."), StringComparison.Ordinal)
            .Replace("Y]", Turn("assistant", "You.") + "]", StringComparison.Ordinal) + "}";
        const string Prompt = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n";
        var passage = Assert.Single(folder.Read("a.jsonl", line));
        Assert.Equal((DocumentKind.Preference, true), (passage.Kind, passage.IsOfTurns));
        string shown = Shown(Given.Rules with { Template = DocumentEncoderTests.ChatMl }, passage);
        Assert.Equal($"{Prompt}[I.<|im_end|>\n]<|end|>|{Prompt}[You.<|im_end|>\n]<|end|>", shown);
    }

    [Fact]
    public void A_record_that_has_a_conversation_besides_is_that_unless_pairs_are_named()
    {
        const string Line =
            """{"messages": [{"role": "user", "content": "Who?"}], "prompt": "a", "chosen": "b", "rejected": "c"}""";
        Assert.Equal(DocumentKind.Conversation, Assert.Single(folder.Read("b.jsonl", Line)).Kind);
        Assert.Equal("ab", Assert.Single(folder.Read("c.jsonl", Line, new SourceOptions { Field = "chosen" })).Text);
    }

    [Theory]
    [InlineData("""{"chosen": "b", "rejected": "c"}""", "has answers without a prompt; give it as prompt")]
    [InlineData("""{"prompt": "a", "chosen": "b"}""", "has a chosen answer alone")]
    [InlineData("""{"prompt": "a", "chosen": "b", "rejected": null}""", "rejected is null; leave such records out")]
    [InlineData("""{"prompt": "a", "chosen": "b", "rejected": []}""", "chosen is text and rejected is a list; both must be text, or lists")]
    [InlineData("""{"chosen": [1, 2], "rejected": [1, 2]}""", "chosen and rejected have 2 turns in common, of 2 and 2; both must begin")]
    public void What_is_no_pair_is_refused(string line, string why) =>
        Assert.Contains(why, folder.Refusal("a.jsonl", line), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"prompt": "a", "chosen": "", "rejected": "c"}""")]
    [InlineData("""{"prompt": "", "chosen": "b", "rejected": ""}""")]
    public void An_answer_of_nothing_is_refused(string line)
    {
        var encoded = new DocumentEncoder(Given.Rules with { End = null }).Encode(Assert.Single(folder.Read("a.jsonl", line)));
        Assert.Equal((Outcome.Untrained, "one of its answers is empty, or all that there is"), (encoded.Outcome, encoded.Reason));
    }

    /// <summary>Every pair once an epoch, both halves in one row; a feed that goes on from a position goes on with the same rows.</summary>
    [Fact]
    public void A_pair_is_two_documents_of_one_row()
    {
        var documents = new PreferenceDocuments(new Pairs(200)) { References = [.. Enumerable.Range(0, 400).Select(i => (double)i)] };
        var settings = new RowSettings(64, 7);
        var feed = new DocumentFeed(documents, settings, int.MaxValue);
        int rows = feed.FirstWindow().Rows;
        var seen = new List<int>();
        for (int i = 0; i < rows; i++)
        {
            string before = feed.Position;
            Check(feed.Next(1), seen);
            var other = new DocumentFeed(documents, settings, int.MaxValue);
            other.Seek(before);
            Check(other.Next(1), []);
            Assert.Equal(feed.Position, other.Position);
        }

        Assert.Equal(Enumerable.Range(0, 200), seen.Order());

        static void Check(Dataflow.Training.ITokenSource row, List<int> seen)
        {
            int[] ids = new int[row.RowLength];
            byte[] counts = new byte[ids.Length - 1];
            row.Read(0, ids);
            Assert.True(row.HasPairs && row.ReadMask(0, counts));
            var lengths = row.Documents(0)!;
            int at = 0;
            for (int d = 0; d < lengths.Count; d += 2)
            {
                int pair = ids[at] / 1000;
                Assert.Equal((Pairs.Chosen(pair), Pairs.Rejected(pair)), (lengths[d], lengths[d + 1]));
                Assert.Equal((2.0 * pair, (2.0 * pair) + 1), (row.ReferenceOf(0, d), row.ReferenceOf(0, d + 1)));
                foreach (int length in new[] { lengths[d], lengths[d + 1] })
                {
                    Assert.All(Enumerable.Range(at, length), i => Assert.Equal(pair, ids[i] / 1000));
                    var counted = counts[at..(at + length - 1)].Select(c => c != 0);
                    Assert.Equal(Enumerable.Range(1, length - 1).Select(i => i >= Pairs.Prompt), counted);
                    at += length;
                }

                seen.Add(pair);
            }

            Assert.Equal(row.InputsOf(0), at);
        }
    }

    [Fact]
    public void Pairs_that_are_longer_than_a_row_are_refused_or_left_out()
    {
        var documents = new PreferenceDocuments(new Pairs(40));
        int longest = Enumerable.Range(0, 40).Max(p => Pairs.Chosen(p) + Pairs.Rejected(p));
        int first = Enumerable.Range(0, 40).First(p => Pairs.Chosen(p) + Pairs.Rejected(p) == longest);
        var settings = new RowSettings(longest - 1, 0) { Shuffle = Shuffle.None };
        string why = Assert.Throws<UserErrorException>(() => new DocumentRows(documents, settings, int.MaxValue)).Message;
        Assert.Equal(
            $"pair {first + 1} of pairs has {Pairs.Chosen(first)} tokens of prompt and chosen answer and {Pairs.Rejected(first)} of "
                + $"prompt and rejected answer, and both have to be in one row, which has {longest - 1}; give --seqlen {longest} or "
                + "more, or leave such pairs out with --overlong drop",
            why);
        var rows = new DocumentRows(documents, settings with { Overlong = Overlong.Drop }, int.MaxValue);
        var kept = Enumerable
            .Range(0, rows.RowCount)
            .SelectMany(r => Enumerable.Range(0, rows.Documents(r)!.Count / 2).Select(d => (int)rows.NumberOf(r, d)));
        Assert.Equal(Enumerable.Range(0, 40).Where(p => Pairs.Chosen(p) + Pairs.Rejected(p) < longest), kept.Order());
    }

    private static string Shown(EncodingRules rules, Passage passage)
    {
        var encoded = new DocumentEncoder(rules).Encode(passage);
        var shown = new StringBuilder();
        bool within = false;
        for (int i = 0; i < encoded.Ids.Count; i++)
        {
            byte weight = encoded.Weights![i];
            shown.Append(within && weight != 1 ? "]" : "").Append(weight == PreferenceDocuments.BeginsRejected ? "|" : "");
            shown.Append(!within && weight == 1 ? "[" : "").Append(Given.Tokenizer.Decode([encoded.Ids[i]], skipSpecialTokens: false));
            within = weight == 1;
        }

        return shown.Append(within ? "]" : "").ToString();
    }

    /// <summary>Pairs whose ids say which they are of.</summary>
    private sealed class Pairs(int count) : ITokenizedDocuments
    {
        public const int Prompt = 3;

        public string Name => "pairs";

        public string Finding => "pairs";

        public DocumentKind Kind => DocumentKind.Preference;

        public int IdCount => int.MaxValue;

        public bool HasWeights => true;

        public string Fingerprint => "pairs";

        public static int Chosen(int pair) => Prompt + 1 + (pair * 7 % 19);

        public static int Rejected(int pair) => Prompt + 1 + (pair * 5 % 13);

        public long Await(long documents) => count;

        public long LengthOf(long document) => Chosen((int)document) + Rejected((int)document);

        public void Read(long document, long first, Span<int> ids)
        {
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = (int)((1000 * document) + first + i);
            }
        }

        public void ReadWeights(long document, long first, Span<byte> weights)
        {
            int chosen = Chosen((int)document);
            for (int i = 0; i < weights.Length; i++)
            {
                int at = (int)first + i, within = at < chosen ? at : at - chosen;
                weights[i] = at == chosen ? PreferenceDocuments.BeginsRejected : (byte)(within >= Prompt ? 1 : 0);
            }
        }

        public void Dispose()
        {
        }
    }
}
