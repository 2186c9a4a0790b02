using System.Text;
using Dataflow.Generation;
using Dataflow.Model;

namespace Dataflow;

/// <summary>
/// A conversation with a model. What was said stays in the cache: a turn costs its own tokens alone, as far as the chat template begins
/// the conversation's text as before; where layers keep states, all of it, or else the conversation is read anew.
/// </summary>
public sealed class ChatSession : IDisposable
{
    private readonly OwnThread thread;
    private readonly GenerationModel model;
    private readonly ModelTexts texts;
    private readonly GenerationOptions options;
    private readonly List<ChatMessage> messages = [];
    private readonly List<int> cached = [];
    private readonly CachedSequence sequence;
    private readonly SamplingScratch scratch;
    private long turns;
    private bool isOver;

    internal ChatSession(OwnThread thread, GenerationModel model, ModelTexts texts, GenerationOptions options, string? system)
    {
        (this.thread, this.model, this.texts, this.options) = (thread, model, texts, options);
        sequence = model.Cached.Open(options.Plan.Seqlen)
            ?? throw new UserErrorException(
                "there is no room for another conversation: end one that is open, or ask for more sequences side by side");
        scratch = new SamplingScratch(model.Config.VocabSize);
        Clear(system);
    }

    /// <summary>What was said so far.</summary>
    public IReadOnlyList<ChatMessage> Messages => messages;

    /// <summary>Tokens of the conversation that the cache holds.</summary>
    public int Tokens => cached.Count;

    /// <summary>Begins anew.</summary>
    /// <param name="system">What the system says first; null: what the chat template says.</param>
    public void Clear(string? system = null)
    {
        messages.Clear();
        if (system is not null)
        {
            messages.Add(new ChatMessage("system", system));
        }
    }

    /// <summary>Says something and hears the answer. Both are part of the conversation then, of an answer that was stopped what was
    /// heard.</summary>
    /// <param name="text">What is said.</param>
    /// <param name="take">Told each piece of the answer.</param>
    /// <param name="stop">Cancelled: the answer ends with the token that is being chosen.</param>
    /// <exception cref="UserErrorException">The conversation has no room for it; it is as it was before.</exception>
    /// <exception cref="ObjectDisposedException">The conversation is over.</exception>
    public string Say(string text, Action<GeneratedPiece> take, CancellationToken stop = default)
    {
        ObjectDisposedException.ThrowIf(isOver, this);
        messages.Add(new ChatMessage("user", text));
        var answer = new StringBuilder();
        try
        {
            int[] ids = texts.Encode(messages);
            int room = options.Plan.Seqlen - ids.Length;
            if (room < 1)
            {
                throw new UserErrorException(
                    $"the conversation has {ids.Length:N0} tokens, and there is room for {options.Plan.Seqlen:N0} with the answer; begin "
                        + "anew, or give a larger --seqlen");
            }

            thread.Wait(() =>
            {
                Answer(ids, Math.Min(options.MaxTokens ?? int.MaxValue, room), answer, take, stop);
                return true;
            });
        }
        catch
        {
            messages.RemoveAt(messages.Count - 1);
            throw;
        }

        messages.Add(new ChatMessage("assistant", answer.ToString()));
        return answer.ToString();
    }

    /// <summary>The cache has room for others again.</summary>
    public void Dispose()
    {
        if (!isOver)
        {
            isOver = true;
            model.Cached.Close(sequence);
        }
    }

    private void Answer(int[] ids, int most, StringBuilder answer, Action<GeneratedPiece> take, CancellationToken stop)
    {
        // The last token is told again: its logits are wanted.
        int known = sequence.Rewind(Math.Min(CommonBeginning(ids), ids.Length - 1));
        cached.RemoveRange(known, cached.Count - known);
        var sampler = new Sampler(options.Sampling, turns++, scratch);
        foreach (int id in ids)
        {
            sampler.Note(id);
        }

        var shown = new ShownText(texts, options);
        int[] next = ids[known..];
        for (int i = 0; i < most; i++)
        {
            int id = 0;
            try
            {
                model.Cached.Continue([new Continuation(sequence, next, Wanted: 1)], (_, _, logits) => id = sampler.Next(logits), stop);
            }
            catch (OperationCanceledException)
            {
                int kept = sequence.Rewind(Math.Min(cached.Count, sequence.Count));
                cached.RemoveRange(kept, cached.Count - kept);
                answer.Append(shown.Finish());
                return;
            }

            cached.AddRange(next);
            sampler.Note(id);
            var (piece, end) = shown.Next(id, isLast: i + 1 == most);
            answer.Append(piece);
            take(new GeneratedPiece(0, id, i, piece, end == GenerationEnd.None && stop.IsCancellationRequested
                ? GenerationEnd.Interrupted : end));
            if (end != GenerationEnd.None)
            {
                return;
            }

            next = [id];
        }
    }

    private int CommonBeginning(int[] ids)
    {
        int same = 0;
        while (same < ids.Length && same < cached.Count && ids[same] == cached[same])
        {
            same++;
        }

        return same;
    }
}
