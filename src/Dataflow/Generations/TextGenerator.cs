using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>
/// Continues texts and conversations with a model, within memory budgets: what does not fit the device travels, layer by layer, as in
/// training. One call at a time; all of its work on the device is done by one thread of its own.
/// </summary>
public sealed class TextGenerator : IDisposable
{
    private readonly OwnThread thread;
    private readonly SavedModel source;
    private readonly GenerationModel model;
    private readonly GenerationOptions options;
    private readonly ModelTexts? texts;
    private bool isOver;

    private TextGenerator(OwnThread thread, SavedModel source, GenerationModel model, GenerationOptions options, ModelTexts? texts) =>
        (this.thread, this.source, this.model, this.options, this.texts) = (thread, source, model, options, texts);

    /// <summary>The plan that it runs by.</summary>
    public TrainingPlan Plan => model.Plan;

    /// <summary>Sequences that go on side by side at most.</summary>
    public int Batch => model.Batch;

    /// <summary>Where it runs, for people: "cpu, 2 threads".</summary>
    public string Device => model.Device;

    /// <summary>Tokenizer, chat template and ends of the model; null where its folder has no tokenizer.</summary>
    public ModelTexts? Texts => texts;

    /// <summary>Makes one ready.</summary>
    /// <param name="options">The model, its budgets, and how texts are continued.</param>
    /// <param name="tell">Told of what happens.</param>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="MachineException">This machine lacks what it takes.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static TextGenerator Open(GenerationOptions options, Action<RunEvent>? tell = null)
    {
        if (options.Sampling.Fault is { } fault)
        {
            throw new UserErrorException(fault);
        }

        if (options.Batch < 1 || options.MaxTokens < 1 || options.LogitRows < 1)
        {
            throw new UserErrorException("there must be at least one sequence, one row of logits, and one token that follows");
        }

        if (options.Stop.Any(s => s.Length == 0))
        {
            throw new UserErrorException("a text at which a continuation ends has no characters; give one that has");
        }

        tell ??= _ => { };
        var source = SavedModel.Open(
            options.Plan.Model, options.Plan.Adapter, options.Plan.Base, note => tell(new RunEvent.Noted([note])));
        OwnThread? thread = null;
        try
        {
            tell(new RunEvent.Opened(source.Notes));
            var texts = TextsOf(source, options.Template);
            if (texts is null && (options.Stop.Count > 0 || options.Template is not null))
            {
                throw new UserErrorException(
                    $"{options.Plan.Model} has no tokenizer, so it knows no texts: leave out the "
                        + (options.Stop.Count > 0 ? "texts at which continuations end" : "name of a chat template"));
            }

            thread = new OwnThread("generation");
            return new TextGenerator(thread, source, thread.Wait(() => GenerationModel.Open(options, source, tell)), options, texts);
        }
        catch
        {
            thread?.Dispose();
            source.Dispose();
            throw;
        }
    }

    /// <summary>Tokenizer, chat template and ends of a model with weights; null where there is no tokenizer.</summary>
    /// <param name="model">As <see cref="PlanOptions.Model"/> names it, or a run's folder.</param>
    /// <param name="template">The name of one of its chat templates; null: the default.</param>
    /// <exception cref="UserErrorException">There is no such model, or a file is not what it should be.</exception>
    public static ModelTexts? TextsOf(string model, string? template = null)
    {
        using var source = SavedModel.Open(model);
        return TextsOf(source, template);
    }

    /// <summary>Positions that a model with weights knows; null where its config does not say.</summary>
    /// <exception cref="UserErrorException">There is no such model.</exception>
    public static int? MostPositions(string model)
    {
        using var source = SavedModel.Open(model);
        return source.Weights.Model.MaxPositions;
    }

    /// <summary>What the simulator says; null where this machine has no profile and none was named.</summary>
    public GenerationPrediction? Prediction =>
        HardwareFiles.ThisMachine(options.Plan.Device.Kind, options.Plan.Hardware) is { } machine
            ? GenerationPrediction.Of(Plan, machine, Batch, options.Plan.Seqlen)
            : null;

    /// <summary>Continues prompts of token ids, each as if it were alone.</summary>
    /// <param name="prompts">Ids of each, at least one, fewer than the seqlen.</param>
    /// <param name="stop">Cancelled: no further step is taken, and no exception follows.</param>
    /// <exception cref="UserErrorException">A prompt is empty or too long, or has ids that the model does not know.</exception>
    public async IAsyncEnumerable<GeneratedPiece> ContinueAsync(
        IReadOnlyList<IReadOnlyList<int>> prompts, [EnumeratorCancellation] CancellationToken stop = default)
    {
        var asked = prompts.Select(Checked).ToList();
        var pieces = Channel.CreateUnbounded<GeneratedPiece>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        using var left = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var work = thread.Run(() =>
        {
            try
            {
                Run(asked, piece => pieces.Writer.TryWrite(piece), left.Token);
            }
            finally
            {
                pieces.Writer.Complete();
            }

            return true;
        });
        try
        {
            await foreach (var piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return piece;
            }
        }
        finally
        {
            // Whoever stops reading stops the work.
            await left.CancelAsync().ConfigureAwait(false);
            try
            {
                await work.ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (left.IsCancellationRequested)
            {
            }
        }
    }

    /// <summary>The same, waiting for every piece.</summary>
    public IEnumerable<GeneratedPiece> Continue(IReadOnlyList<IReadOnlyList<int>> prompts, CancellationToken stop = default) =>
        ContinueAsync(prompts, stop).ToBlockingEnumerable(CancellationToken.None);

    /// <summary>The logits of tokens, each by those before it: as a prompt's, in steps of as many tokens as the plan takes.</summary>
    /// <param name="ids">Token ids, at most the seqlen.</param>
    /// <param name="take">Told the place of each token and its logits [vocabulary], which are only there during the call.</param>
    /// <exception cref="UserErrorException">There are too many ids, or some that the model does not know.</exception>
    public void Logits(IReadOnlyList<int> ids, Action<int, ReadOnlySpan<float>> take)
    {
        var prompt = Checked(ids, 0, more: 0);
        thread.Wait(() =>
        {
            var sequence = model.Cached.Open(prompt.Ids.Count) ?? throw NoRoom();
            try
            {
                model.Cached.Continue(
                    [new Continuation(sequence, prompt.Ids.ToArray(), prompt.Ids.Count)], (_, token, logits) => take(token, logits));
            }
            finally
            {
                model.Cached.Close(sequence);
            }

            return true;
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (isOver)
        {
            return;
        }

        isOver = true;
        thread.Wait(() =>
        {
            model.Dispose();
            return true;
        });
        thread.Dispose();
        source.Dispose();
    }

    /// <summary>Begins a conversation; while it is open nothing else can be continued.</summary>
    /// <param name="system">What the system says first; null: what the chat template says.</param>
    /// <exception cref="UserErrorException">The model has no tokenizer or no chat template.</exception>
    public ChatSession Chat(string? system = null) => texts is { HasTemplate: true }
        ? new ChatSession(thread, model, texts, options, system)
        : throw new UserErrorException(
            $"{options.Plan.Model} has no {(texts is null ? "tokenizer" : "chat template")}, so it knows no conversations; "
                + "continue a text with `dataflow generate`");

    private static ModelTexts? TextsOf(SavedModel source, string? template) =>
        source.Texts is { } folder && HasTokenizer(folder) ? ModelTexts.Open(folder, template) : null;

    private static bool HasTokenizer(string folder) =>
        File.Exists(Path.Combine(folder, "tokenizer.json")) || File.Exists(Path.Combine(folder, "tokenizer.model"));

    private static UserErrorException NoRoom() =>
        new("there is no room for the sequence while a conversation is open: end it, or ask for more sequences side by side");

    private Prompt Checked(IReadOnlyList<int> ids, int number) => Checked(ids, number, more: 1);

    private Prompt Checked(IReadOnlyList<int> ids, int number, int more)
    {
        int seqlen = options.Plan.Seqlen;
        if (ids.Count == 0)
        {
            throw new UserErrorException($"prompt {number} has no token; give a text");
        }

        if (ids.Count + more > seqlen)
        {
            throw new UserErrorException(
                $"prompt {number} has {ids.Count:N0} tokens, and sequences have at most {seqlen:N0} with what follows; give a larger "
                    + "--seqlen");
        }

        foreach (int id in ids)
        {
            if ((uint)id >= (uint)model.Config.VocabSize)
            {
                throw new UserErrorException(
                    $"prompt {number} has the token {id}, and the model knows those from 0 to {model.Config.VocabSize - 1:N0}");
            }
        }

        return new Prompt(ids, Math.Min(options.MaxTokens ?? int.MaxValue, Math.Max(1, seqlen - ids.Count)));
    }

    private void Run(List<Prompt> prompts, Action<GeneratedPiece> take, CancellationToken stop)
    {
        var streams = prompts.Select(_ => new ShownText(texts, options)).ToList();
        if (model.Cached.Open(prompts.Max(p => p.Rows)) is not { } longest)
        {
            throw NoRoom();
        }

        model.Cached.Close(longest);
        new Generator(model.Cached, model.Config.VocabSize, options.Sampling).Run(
            prompts,
            token =>
            {
                var (text, end) = streams[token.Prompt].Next(token.Id, isLast: token.Index + 1 == prompts[token.Prompt].MostTokens);
                take(new GeneratedPiece(token.Prompt, token.Id, token.Index, text, end));
                return end != GenerationEnd.None;
            },
            stop);
    }
}
