using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>The graph that is given to cuDNN.</summary>
public enum CudnnForm
{
    /// <summary>Output and logsumexp.</summary>
    Forward,

    /// <summary>
    /// Gradients, that of queries added up in fp32 in the order of the keys. The graph alone would add in order of arrival: only the
    /// fixed engine makes it repeatable.
    /// </summary>
    BackwardOrdered,

    /// <summary>Gradients, that of queries by a product of its own from the gradients of scores, which the workspace holds.</summary>
    BackwardDirect,
}

/// <summary>A setting of an engine of cuDNN.</summary>
/// <param name="Type">cudnnBackendKnobType_t.</param>
/// <param name="Value">As the engine counts.</param>
public readonly record struct CudnnKnob(int Type, long Value);

/// <summary>An engine of cuDNN that is asked for by its number, in the place of those that its heuristics name.</summary>
/// <param name="Index">Among the engines of the graph's kind.</param>
/// <param name="Knobs">Its settings.</param>
public sealed record CudnnEngine(int Index, ImmutableArray<CudnnKnob> Knobs);

/// <summary>Whether cuDNN computes an attention, and how.</summary>
public abstract record CudnnAnswer
{
    private CudnnAnswer()
    {
    }

    /// <summary>It does.</summary>
    /// <param name="Call">What one call is asked for.</param>
    /// <param name="Calls">How many calls, one after the other, each for its heads.</param>
    /// <param name="Form">Which graph.</param>
    /// <param name="Engine">The engine; null: the first of the heuristics' list that can be had.</param>
    /// <param name="Workspace">Of one call, as the plan asks for it; calls take it in turn.</param>
    public sealed record Offered(CudnnAttention Call, int Calls, CudnnForm Form, CudnnEngine? Engine, Bytes Workspace) : CudnnAnswer;

    /// <summary>It does not.</summary>
    /// <param name="Reason">Why our own kernels are used, a sentence without its end.</param>
    public sealed record Refused(string Reason) : CudnnAnswer;
}
