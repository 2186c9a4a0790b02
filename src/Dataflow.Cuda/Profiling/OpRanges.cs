using System.Collections.Immutable;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// The ranges that a compute op lies in, outermost first: round, pass, layer, and its own, which names the chunk. Ops that follow each
/// other and share the outer ones share the ranges.
/// </summary>
internal static class OpRanges
{
    /// <summary>"R0", "forward", "L05", "Forward L05 C2 R0".</summary>
    public static ImmutableArray<string> Of(Schedule schedule, int index)
    {
        var op = schedule.Ops[index];
        var names = ImmutableArray.CreateBuilder<string>();
        if (op.Round is { } round)
        {
            names.Add($"round {round}");
        }

        names.Add(PassOf(op.Kind));
        if (op.Layer is { } layer)
        {
            names.Add($"layer {layer}");
        }

        names.Add(TimelineTrace.NameOf(schedule, index));
        return names.ToImmutable();
    }

    private static string PassOf(OpKind kind) => kind switch
    {
        OpKind.Embed or OpKind.Forward or OpKind.Project or OpKind.Attend or OpKind.Combine => "forward",
        OpKind.Head or OpKind.HeadLoss or OpKind.HeadBackward => "head",
        OpKind.Norm or OpKind.Update => "update",
        OpKind.Fetch or OpKind.Save => "copies",
        _ => "backward",
    };
}
