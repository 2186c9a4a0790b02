namespace Dataflow.Model;

/// <summary>Which norms a decoder has.</summary>
public enum NormKind
{
    /// <summary>By the root mean square (Zhang and Sennrich, 2019).</summary>
    Rms,

    /// <summary>By mean and variance, without a bias.</summary>
    Layer,

    /// <summary>By mean and variance, with a bias (Ba et al., 2016).</summary>
    LayerWithBias,
}

/// <summary>Where a block's norms stand.</summary>
public enum NormPlacement
{
    /// <summary>Before attention and before the feed-forward (Llama).</summary>
    Before,

    /// <summary>After each, before it is added to the stream (OLMo 2).</summary>
    After,

    /// <summary>Both (Gemma 2, GLM-4-0414).</summary>
    BeforeAndAfter,

    /// <summary>One norm, of which attention and feed-forward are computed side by side (Phi, Cohere).</summary>
    ParallelShared,

    /// <summary>The same with a norm each (GPT-NeoX).</summary>
    Parallel,
}

/// <summary>Which products have a bias.</summary>
[Flags]
public enum Biases
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Those of queries, keys and values.</summary>
    Qkv = 1,

    /// <summary>That of attention's output.</summary>
    AttentionOut = 2,

    /// <summary>Those of the feed-forward.</summary>
    FeedForward = 4,

    /// <summary>That of the head.</summary>
    Head = 8,
}
