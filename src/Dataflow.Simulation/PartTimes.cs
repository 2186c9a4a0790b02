using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>Compute's time in one part of a model.</summary>
/// <param name="Part">"attention layers", "gated delta layers", "embedding and head", "optimizer".</param>
/// <param name="Layers">How many layers it is of; 0 where it is of none.</param>
/// <param name="Nanoseconds">Of all its ops in a step, what is done again included.</param>
public readonly record struct PartTime(string Part, int Layers, long Nanoseconds);

/// <summary>How compute's time in a step, simulated or measured, is shared out between a model's kinds of layers and the rest.</summary>
public static class PartTimes
{
    /// <summary>The parts, the one that takes longest first; a layer counts with its feed-forward, if it has one.</summary>
    /// <param name="model">Whose layers the schedule's are.</param>
    /// <param name="schedule">The step.</param>
    /// <param name="timeline">When each of its ops ran.</param>
    public static ImmutableArray<PartTime> Of(ModelConfig model, Schedule schedule, Timeline timeline)
    {
        var times = new Dictionary<string, long>();
        for (int i = 0; i < timeline.Ops.Length; i++)
        {
            if (schedule.Ops[i] is { Stream: StepStreams.Compute } op)
            {
                string part = PartOf(model, op);
                times[part] = times.GetValueOrDefault(part) + timeline.Ops[i].Duration;
            }
        }

        var layers = model.Kinds.CountBy(LayersOf).ToDictionary();
        return
        [
            .. times.Select(t => new PartTime(t.Key, layers.GetValueOrDefault(t.Key), t.Value))
                .OrderByDescending(p => p.Nanoseconds)
                .ThenBy(p => p.Part, StringComparer.Ordinal),
        ];
    }

    private static string PartOf(ModelConfig model, ScheduledOp op) =>
        op.Kind is OpKind.Norm or OpKind.Update or OpKind.Zero ? "optimizer"
        : op.Layer is { } layer ? LayersOf(model.KindOf(layer))
        : "embedding and head";

    private static string LayersOf(LayerKind kind) =>
        kind switch
        {
            { HasMixer: false } => "feed-forward layers",
            { Recurrence: { } recurrence } => recurrence.Corrects ? "gated delta layers" : "Mamba 2 layers",
            { ConvolutionTaps: not null } => "convolution layers",
            { Window: not null } => "sliding-window layers",
            _ => "attention layers",
        };
}
