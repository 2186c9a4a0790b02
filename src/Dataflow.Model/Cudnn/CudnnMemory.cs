namespace Dataflow.Model;

/// <summary>
/// Scratch of one pass of attention by cuDNN: offsets of what its calls and the kernels between them keep, in the order in which it lies.
/// A function of the calls alone. What a pass does not keep is at the end, with no bytes.
/// </summary>
public sealed record CudnnMemory
{
    private CudnnMemory()
    {
    }

    /// <summary>The workspace that cuDNN asks for, of the call that wants most.</summary>
    public required Bytes Plan { get; init; }

    /// <summary>
    /// fp32 [calls, rows, heads of a call, queries]: logsumexps as a call has them; of calls that are merged, those of the last one.
    /// </summary>
    public required Bytes Statistics { get; init; }

    /// <summary>Forward: bf16 [tokens, q], the output of a call that is still to be merged.</summary>
    public required Bytes Output { get; init; }

    /// <summary>fp32 [tokens, q], carried from call to call: merged outputs, or the gradient of queries.</summary>
    public required Bytes Sums { get; init; }

    /// <summary>Forward: fp32 [heads, tokens], the logsumexps of what is merged.</summary>
    public required Bytes SumStatistics { get; init; }

    /// <summary>Backward: fp32, each row's sum of output times its gradient, of one call.</summary>
    public required Bytes RowProducts { get; init; }

    /// <summary>Backward: fp32 [tokens, q], what one call adds to the gradient of queries, or what it rounds itself.</summary>
    public required Bytes GradQuery { get; init; }

    /// <summary>Backward: bf16 [rows of keys, 2 kv], the gradients of keys and values that one call writes.</summary>
    public required Bytes GradKeyValue { get; init; }

    /// <summary>All of it.</summary>
    public required Bytes Total { get; init; }

    internal static CudnnMemory Of(CudnnAnswer.Offered own, CudnnAnswer.Offered? earlier)
    {
        var call = own.Call;
        bool forward = call.Pass == CudnnPass.Forward, merges = earlier is not null;
        long rows = (long)own.Calls * call.Heads * call.Sequences * call.Queries, elements = rows * call.HeadDim;
        long keys = 2L * own.Calls * call.KvHeads * call.HeadDim * call.Sequences * call.Keys;
        var at = Bytes.Zero;
        Bytes Take(bool wanted, long bytes)
        {
            var first = at;
            at += wanted ? new Bytes(bytes).Aligned : Bytes.Zero;
            return first;
        }

        return new CudnnMemory
        {
            Plan = Take(true, Math.Max(own.Workspace.Value, earlier?.Workspace.Value ?? 0)),
            Statistics = Take((forward && merges) || call.Sequences > 1, 4 * rows),
            Output = Take(forward && merges, 2 * elements),
            Sums = Take(merges, 4 * elements),
            SumStatistics = Take(forward && merges, 4 * rows),
            RowProducts = Take(!forward, 4 * rows / own.Calls),
            GradQuery = Take(
                !forward && (merges || own.Form == CudnnForm.BackwardOrdered),
                4 * elements / (merges ? 1 : own.Calls)),
            GradKeyValue = Take(!forward, 2 * keys),
            Total = Bytes.Max(at, new Bytes(Bytes.Alignment)),
        };
    }
}
