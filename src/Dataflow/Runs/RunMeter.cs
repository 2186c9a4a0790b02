using System.Diagnostics.Metrics;

namespace Dataflow;

/// <summary>What runs measure, as instruments of the meter "Dataflow": whoever listens adds over runs, or looks at one.</summary>
internal static class RunMeter
{
    private static readonly Meter s_meter = new("Dataflow");
    private static readonly Counter<long> s_tokens = s_meter.CreateCounter<long>("dataflow.tokens", "{token}", "Tokens trained on.");
    private static readonly Histogram<double> s_step = s_meter.CreateHistogram<double>("dataflow.step.duration", "s", "Time of a step.");
    private static readonly Gauge<double> s_loss = s_meter.CreateGauge<double>("dataflow.loss", "nats", "Loss of the last step.");
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
            case RunEvent.Stepped { Step.Step: var step }:
                s_tokens.Add(step.Tokens);
                s_step.Record(step.Duration.TotalSeconds);
                if (step.Skipped is null)
                {
                    s_loss.Record(step.Loss);
                }

                break;
            case RunEvent.Saved saved:
                s_save.Record(saved.Step.Seconds);
                break;
            case RunEvent.SaveFailed:
                s_failures.Add(1);
                break;
        }
    }
}
