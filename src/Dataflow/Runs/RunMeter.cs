using System.Diagnostics.Metrics;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>What runs measure, as instruments of the meter "Dataflow": whoever listens adds over runs, or looks at one.</summary>
internal static class RunMeter
{
    private static readonly Meter s_meter = new("Dataflow");
    private static readonly Counter<long> s_tokens = s_meter.CreateCounter<long>("dataflow.tokens", "{token}", "Tokens trained on.");
    private static readonly Histogram<double> s_step = s_meter.CreateHistogram<double>("dataflow.step.duration", "s", "Time of a step.");
    private static readonly Gauge<double> s_loss = s_meter.CreateGauge<double>("dataflow.loss", "nats", "Loss of the last step.");
    private static readonly Gauge<double> s_rate = s_meter.CreateGauge<double>("dataflow.learning_rate", null, "That of the last step.");
    private static readonly Gauge<double> s_norm = s_meter.CreateGauge<double>(
        "dataflow.gradient.norm", null, "Global norm of the gradients before clipping; by group where groups are watched.");
    private static readonly Gauge<double> s_update = s_meter.CreateGauge<double>(
        "dataflow.update.ratio", null, "Norm of a group's update over that of its weights.");
    private static readonly Gauge<double> s_speed = s_meter.CreateGauge<double>(
        "dataflow.throughput", "{token}/s", "Tokens a second of the last step.");
    private static readonly Gauge<double> s_predicted = s_meter.CreateGauge<double>(
        "dataflow.throughput.predicted", "{token}/s", "What the simulator says of it.");
    private static readonly Gauge<double> s_held = s_meter.CreateGauge<double>(
        "dataflow.validation.loss", "nats", "Loss on other data when it was last measured.");
    private static readonly Gauge<double> s_margin = s_meter.CreateGauge<double>(
        "dataflow.preference.margin", "nats", "Mean margin of rewards of the last step's pairs.");
    private static readonly Gauge<double> s_accuracy = s_meter.CreateGauge<double>(
        "dataflow.preference.accuracy", "1", "Part of the last step's pairs whose chosen answer has the higher reward.");
    private static readonly Gauge<double> s_busy = s_meter.CreateGauge<double>(
        "dataflow.stream.busy", "1", "Part of a step that a stream worked, when it was last measured.");
    private static readonly Gauge<double> s_experts = s_meter.CreateGauge<double>(
        "dataflow.experts.load", "1", "Tokens of a layer's most loaded expert over the mean of all, when it was last measured.");
    private static readonly Gauge<long> s_arena = s_meter.CreateGauge<long>(
        "dataflow.memory.planned", "By", "The most that the plan holds of an arena.");
    private static readonly Gauge<long> s_taken = s_meter.CreateGauge<long>(
        "dataflow.memory.taken", "By", "What the process has in memory, and what it takes of the GPU, when that was last measured.");
    private static readonly Histogram<double> s_save = s_meter.CreateHistogram<double>("dataflow.save.duration", "s", "Time of a save.");
    private static readonly Counter<long> s_failures = s_meter.CreateCounter<long>(
        "dataflow.save.failures",
        "{save}",
        "Saves that failed."
    );

    /// <summary>Measures an event.</summary>
    public static void Take(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Planned { Result: PlanResult.Feasible { Plan: var plan } }:
                s_arena.Record(plan.DevicePeak.Value, Tag("arena", "device"));
                s_arena.Record(plan.HostPeak.Value, Tag("arena", "host"));
                break;
            case RunEvent.Stepped stepped:
                Take(stepped.Step);
                break;
            case RunEvent.Saved saved:
                s_save.Record(saved.Step.Seconds);
                break;
            case RunEvent.SaveFailed:
                s_failures.Add(1);
                break;
        }
    }

    private static void Take(StepResult line)
    {
        var step = line.Step;
        s_tokens.Add(step.Tokens);
        s_step.Record(step.Duration.TotalSeconds);
        s_speed.Record(step.TokensPerSecond);
        s_rate.Record(line.LearningRate);
        Record(s_predicted, line.PredictedTokensPerSecond);
        Record(s_held, line.Validation?.Loss);
        if (step.Skipped is null)
        {
            s_loss.Record(step.Loss);
            Record(s_norm, step.GradientNorm);
            Record(s_margin, step.Preferences?.Margin);
            Record(s_accuracy, step.Preferences?.Accuracy);
        }

        foreach (var group in line.Groups ?? [])
        {
            s_norm.Record(group.GradientNorm, Tag("group", group.Group));
            s_update.Record(group.UpdateRatio, Tag("group", group.Group));
        }

        if (line.Sample is { } sample)
        {
            Take(sample);
        }
    }

    private static void Take(StepSample sample)
    {
        foreach (var (stream, busy) in sample.Streams)
        {
            s_busy.Record(busy, Tag("stream", stream));
        }

        foreach (var layer in sample.Experts)
        {
            s_experts.Record(layer.Most, Tag("layer", layer.Layer));
        }

        s_taken.Record(sample.Process.Value, Tag("of", "process"));
        if (sample.Device is { } device)
        {
            s_taken.Record(device.Value, Tag("of", "device"));
        }
    }

    private static void Record(Gauge<double> gauge, double? value)
    {
        if (value is { } known)
        {
            gauge.Record(known);
        }
    }

    private static KeyValuePair<string, object?> Tag(string name, object value) => new(name, value);
}
