using Dataflow.Generation;
using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>The library continues texts and conversations, stops when it is told to, and leaves nothing behind.</summary>
public sealed class TextGeneratorTests : IDisposable
{
    private readonly TinyRun run = new();
    private readonly string model;

    public TextGeneratorTests() => model = TinyModel.Make(run);

    public void Dispose() => run.Dispose();

    /// <summary>Each turn goes on from the cache, and says what the whole conversation as one prompt does.</summary>
    [Fact]
    public void A_conversation_says_what_its_text_as_a_prompt_does()
    {
        using var generator = Open(seqlen: 400, most: 12);
        var messages = new List<ChatMessage>();
        var answers = new List<string>();
        using (var session = generator.Chat("You count."))
        {
            messages.Add(new("system", "You count."));
            foreach (string said in new[] { "one two", "three", "and four five six" })
            {
                messages.Add(new("user", said));
                int before = session.Tokens;
                string answer = session.Say(said, _ => { });
                Assert.True(session.Tokens > before);
                messages.Add(new("assistant", answer));
                answers.Add(answer);
            }

            Assert.Equal(messages, session.Messages);

            // A prefix of what the cache holds is as good as all of it.
            session.Clear("You count.");
            Assert.Equal(answers[0], session.Say("one two", _ => { }));
        }

        for (int turn = 0; turn < answers.Count; turn++)
        {
            int[] ids = generator.Texts!.Encode([.. messages.Take(2 + (2 * turn))]);
            Assert.Equal(answers[turn], string.Concat(generator.Continue([ids]).Select(p => p.Text)));
        }
    }

    [Fact]
    public void What_finds_no_room_leaves_the_conversation_as_it_was()
    {
        using var generator = Open(seqlen: 60, most: 5);
        using var session = generator.Chat();
        string first = session.Say("one", _ => { });
        Assert.Throws<UserErrorException>(() => session.Say(new string('x', 100), _ => { }));
        Assert.Equal(2, session.Messages.Count);
        Assert.Equal(first, session.Messages[1].Content);

        // There is room for two sequences.
        using var other = generator.Chat();
        Assert.Equal(first, other.Say("one", _ => { }));
        Assert.Throws<UserErrorException>(() => generator.Chat());
        Assert.Throws<UserErrorException>(() => generator.Continue([[1, 2]]).ToList());
    }

    [Fact]
    public async Task Whoever_stops_reading_stops_the_work()
    {
        using var generator = Open(seqlen: 2000, most: 1900);
        int[] prompt = generator.Texts!.Encode("0123");
        int read = 0;
        await foreach (var piece in generator.ContinueAsync([prompt], TestContext.Current.CancellationToken))
        {
            if (++read == 3)
            {
                break;
            }
        }

        using var stop = new CancellationTokenSource();
        int heard = 0;
        await foreach (var piece in generator.ContinueAsync([prompt, prompt], stop.Token))
        {
            if (++heard == 4)
            {
                await stop.CancelAsync();
            }
        }

        Assert.InRange(heard, 4, 1900);

        // What was stopped left its room to others.
        Assert.NotEmpty(generator.Continue([prompt]).Take(5));
    }

    [Fact]
    public void Logits_of_a_text_are_those_that_its_continuation_was_chosen_by()
    {
        using var generator = Open(seqlen: 64, most: 10, rows: 7);
        int[] prompt = generator.Texts!.Encode("0123456");
        int[] all = [.. prompt, .. generator.Continue([prompt]).Select(p => p.Id)];
        var best = new List<int>();
        generator.Logits(all, (token, logits) => best.Add(logits.IndexOf(Largest(logits))));
        Assert.Equal(all[prompt.Length..], best[(prompt.Length - 1)..^1]);
    }

    [Theory]
    [InlineData(new int[0], "has no token")]
    [InlineData(new[] { 260 }, "the token 260")]
    [InlineData(new[] { -1 }, "the token -1")]
    [InlineData(new[] { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, "has 10 tokens, and sequences have at most 10")]
    public void A_prompt_that_cannot_be_continued_is_refused(int[] ids, string sentence)
    {
        using var generator = Open(seqlen: 10, most: 1);
        var refused = Assert.Throws<UserErrorException>(() => generator.Continue([ids]).ToList());
        Assert.Contains(sentence, refused.Message);
    }

    [Fact]
    public void What_makes_no_sense_is_refused_before_anything_is_read()
    {
        Assert.Throws<UserErrorException>(() => TextGenerator.Open(Options(10, 1) with { Batch = 0 }));
        Assert.Throws<UserErrorException>(() => TextGenerator.Open(Options(10, 1) with { Stop = [""] }));
        Assert.Throws<UserErrorException>(
            () => TextGenerator.Open(Options(10, 1) with { Sampling = new SamplingSettings { Temperature = -1 } }));
        Assert.Throws<UserErrorException>(
            () => TextGenerator.Open(Options(10, 1) with { Plan = Options(10, 1).Plan with { Model = "nano" } }));
        Assert.Throws<InfeasibleException>(
            () => TextGenerator.Open(Options(10, 1) with { Plan = Options(10, 1).Plan with { DeviceMemory = new Bytes(1000) } }));
    }

    private static float Largest(ReadOnlySpan<float> logits)
    {
        float largest = logits[0];
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        return largest;
    }

    private TextGenerator Open(int seqlen, int most, int rows = 1) => TextGenerator.Open(Options(seqlen, most) with { LogitRows = rows });

    private GenerationOptions Options(int seqlen, int most) => new()
    {
        Plan = new PlanOptions
        {
            Model = model,
            Seqlen = seqlen,
            DeviceMemory = new Bytes(64L << 20),
            HostMemory = new Bytes(64L << 20),
            Device = DeviceOptions.Cpu,
        },
        Batch = 2,
        MaxTokens = most,
    };
}
