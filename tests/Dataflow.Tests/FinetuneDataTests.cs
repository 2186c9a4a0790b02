using System.Text.Json;
using System.Text.RegularExpressions;

namespace Dataflow.Tests;

/// <summary>The conversations of `make finetune`: enough of them, well formed, those that are held out not among the others.</summary>
public sealed partial class FinetuneDataTests
{
    private const double Near = 0.5; // two texts of one file share less than this of their triples of words
    private const double NearHeldOut = 0.4; // and a text that is held out shares less than this with any that is trained

    private static readonly Conversation[] s_trained = Read("train.jsonl"), s_heldOut = Read("held-out.jsonl");

    [Fact]
    public void There_are_enough_of_them_and_some_go_on_for_a_second_turn()
    {
        Assert.True(s_trained.Length >= 360, $"{s_trained.Length} are trained");
        Assert.True(s_heldOut.Length >= 50, $"{s_heldOut.Length} are held out");
        Assert.InRange(s_trained.Count(c => c.Turns.Count == 4), 50, s_trained.Length);
    }

    [Fact]
    public void Every_line_is_a_conversation_that_the_assistant_ends() => Assert.All([.. s_trained, .. s_heldOut], c =>
    {
        Assert.True(c.Turns.Count is 2 or 4, c.Place);
        Assert.All(c.Turns.Select((turn, at) => (turn, at)), t =>
        {
            Assert.True(t.turn.Role == (t.at % 2 == 0 ? "user" : "assistant"), $"{c.Place}: turn {t.at} is of {t.turn.Role}");
            Assert.True(t.turn.Text.Length > 0 && t.turn.Text.Trim() == t.turn.Text, $"{c.Place}: {t.turn.Text}");
        });
    });

    [Fact]
    public void Answers_are_short_sentences() => Assert.All(
        [.. s_trained, .. s_heldOut], c => Assert.All(c.Turns.Where(t => t.Role == "assistant"), t =>
        {
            Assert.True(t.Text[^1] is '.' or '?', $"{c.Place}: {t.Text}");
            Assert.True(Words(t.Text).Length is >= 3 and <= 60, $"{c.Place}: {t.Text}");
        }));

    [Theory]
    [InlineData("user")]
    [InlineData("assistant")]
    public void No_text_is_nearly_another(string role)
    {
        Passage[] passages =
        [
            .. s_trained.SelectMany(c => c.Passages(role, heldOut: false)), .. s_heldOut.SelectMany(c => c.Passages(role, heldOut: true)),
        ];
        var faults = new List<string>();
        for (int i = 0; i < passages.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                var (one, other) = (passages[i], passages[j]);
                double shared = Shared(one.Triples, other.Triples);
                if (shared >= (one.IsHeldOut != other.IsHeldOut ? NearHeldOut : Near))
                {
                    faults.Add($"{one.Place} and {other.Place} share {shared:0.00}: {one.Text} | {other.Text}");
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Theory]
    [InlineData("What is a plan?", "what is a plan", 1)]
    [InlineData("What is a plan?", "What is a slot?", 1 / 3.0)]
    [InlineData("What is a plan?", "Which verb plans?", 0)]
    [InlineData("Yes.", "No.", 0)]
    public void The_rule_finds(string one, string other, double shared) => Assert.Equal(shared, Shared(Triples(one), Triples(other)), 12);

    private static double Shared(HashSet<string> one, HashSet<string> other)
    {
        int both = one.Count(other.Contains);
        return both / (double)(one.Count + other.Count - both);
    }

    // A text of fewer than three words is one triple by itself.
    private static HashSet<string> Triples(string text)
    {
        string[] words = Words(text);
        return words.Length < 3 ? [string.Join(' ', words)]
            : [.. Enumerable.Range(0, words.Length - 2).Select(i => $"{words[i]} {words[i + 1]} {words[i + 2]}")];
    }

    private static string[] Words(string text) => [.. Word().Matches(text.ToLowerInvariant()).Select(m => m.Value)];

    [GeneratedRegex("[a-z0-9]+")]
    private static partial Regex Word();

    private static Conversation[] Read(string name)
    {
        string path = Path.Combine(Locations.Root!, "data", "finetune", name);
        return [.. File.ReadLines(path).Select((line, at) => Conversation.Parse(line, $"{name}:{at + 1}"))];
    }

    private sealed record Turn(string Role, string Text);

    private sealed record Passage(string Place, string Text, bool IsHeldOut, HashSet<string> Triples);

    private sealed record Conversation(string Place, IReadOnlyList<Turn> Turns)
    {
        public static Conversation Parse(string line, string place)
        {
            using var document = JsonDocument.Parse(line);
            var only = Assert.Single(document.RootElement.EnumerateObject());
            Assert.Equal("messages", only.Name);
            return new(place, [.. only.Value.EnumerateArray().Select(t =>
                new Turn(t.GetProperty("role").GetString()!, t.GetProperty("content").GetString()!))]);
        }

        public IEnumerable<Passage> Passages(string role, bool heldOut) =>
            Turns.Where(t => t.Role == role).Select(t => new Passage(Place, t.Text, heldOut, FinetuneDataTests.Triples(t.Text)));
    }
}
