namespace Dataflow.Schedules;

/// <summary>
/// What an object holds. A line here gives a family its place in names ("W/L05" begins with that of <see cref="Weights"/>), in lists and in
/// what people are shown; families are listed in this order.
/// </summary>
public sealed class ObjectFamily
{
    private static readonly List<ObjectFamily> s_all = [];

    /// <summary>Parameters of a layer, of the embedding or of the head.</summary>
    public static readonly ObjectFamily Weights = new("W", "parameters");

    /// <summary>Gradients of these.</summary>
    public static readonly ObjectFamily Gradients = new("G", "gradients");

    /// <summary>Optimizer state, a piece of it each.</summary>
    public static readonly ObjectFamily Moments = new("O", "optimizer state");

    /// <summary>What a chunk's forward keeps of a layer.</summary>
    public static readonly ObjectFamily Activations = new("A", "activations");

    /// <summary>The residual stream of a chunk at the entry of a layer.</summary>
    public static readonly ObjectFamily Streams = new("X", "residual stream");

    /// <summary>Keys and values of the chunks that share a context window, or of a segment of it.</summary>
    public static readonly ObjectFamily Windows = new("KV", "keys and values");

    /// <summary>The same where a backward computes them again.</summary>
    public static readonly ObjectFamily RecomputedWindows = new("KVr", "keys and values");

    /// <summary>The gradient of a chunk's residual stream.</summary>
    public static readonly ObjectFamily GradStreams = new("dX", "stream gradients");

    /// <summary>The gradient of a chunk's normed head input, where the vocabulary is cut.</summary>
    public static readonly ObjectFamily GradHeads = new("dH", "head gradients");

    /// <summary>What the blocks of a vocabulary that is cut say of a chunk's rows of logits.</summary>
    public static readonly ObjectFamily LogitStatistics = new("stats", "logit statistics");

    /// <summary>Gradients of keys and values.</summary>
    public static readonly ObjectFamily GradWindows = new("dKV", "gradients of keys and values");

    /// <summary>A chunk's table: ids, targets, first keys, order.</summary>
    public static readonly ObjectFamily Tables = new("T", "tokens");

    /// <summary>The losses of all chunks.</summary>
    public static readonly ObjectFamily Losses = new("loss", "losses");

    /// <summary>What all pairs of a step are compared by, and their sums of log-probabilities.</summary>
    public static readonly ObjectFamily Pairs = new("pairs", "pairs");

    /// <summary>Logits of the tokens that are asked for, or those of a block of the vocabulary.</summary>
    public static readonly ObjectFamily Logits = new("logits", "logits");

    /// <summary>The sums of squares of all gradients.</summary>
    public static readonly ObjectFamily Norms = new("norm", "norm");

    /// <summary>What an op needs while it runs.</summary>
    public static readonly ObjectFamily Scratch = new("scratch", "scratch");

    /// <summary>How a round's experts are loaded, where a loss balances them.</summary>
    public static readonly ObjectFamily Loads = new("load", "loads of experts");

    /// <summary>What all layers take of a chunk's tokens besides the stream.</summary>
    public static readonly ObjectFamily LayerInputs = new("LI", "inputs of layers");

    /// <summary>Their gradients.</summary>
    public static readonly ObjectFamily GradLayerInputs = new("dLI", "gradients of inputs of layers");

    private ObjectFamily(string prefix, string label)
    {
        (Prefix, Label, Index) = (prefix, label, s_all.Count);
        s_all.Add(this);
    }

    /// <summary>All families, in the order in which they are listed.</summary>
    public static IReadOnlyList<ObjectFamily> All => s_all;

    /// <summary>What names begin with: "W".</summary>
    public string Prefix { get; }

    /// <summary>What people are shown: "parameters".</summary>
    public string Label { get; }

    /// <summary>Place in the list of families.</summary>
    internal int Index { get; }

    /// <summary>The family of an object by the beginning of its name; null where it is none of these.</summary>
    public static ObjectFamily? Of(string name)
    {
        var prefix = PrefixOf(name);
        foreach (var family in s_all)
        {
            if (prefix.SequenceEqual(family.Prefix))
            {
                return family;
            }
        }

        return null;
    }

    /// <summary>What stands in a name before its first slash.</summary>
    public static ReadOnlySpan<char> PrefixOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int end = name.IndexOf('/', StringComparison.Ordinal);
        return name.AsSpan(0, end < 0 ? name.Length : end);
    }

    /// <summary>The prefix.</summary>
    public override string ToString() => Prefix;
}
