using System.Diagnostics.Metrics;
using Dataflow.Model;
using Microsoft.Extensions.Logging;

namespace Dataflow.Tests;

public class TrainingRunTests
{
    [Fact]
    public async Task Both_ways_to_take_steps_give_the_same_losses()
    {
        using var tiny = new TinyRun();
        using var run = TrainingRun.Prepare(tiny.Options(3));
        var losses = new List<double>();
        await foreach (var step in run.StepsAsync(TestContext.Current.CancellationToken))
        {
            losses.Add(step.Step.Loss);
        }

        Assert.Equal(3, losses.Count);
        Assert.Equal(TinyRun.Losses(tiny.Options(3)), losses);
    }

    [Fact]
    public async Task Cancellation_saves_and_the_run_goes_on_to_the_same_bits()
    {
        using var tiny = new TinyRun();
        double[] straight = TinyRun.Losses(tiny.Options(5));
        var losses = new List<double>();
        using var stop = new CancellationTokenSource();
        using (var run = TrainingRun.Prepare(tiny.Options(5, "saved")))
        {
            await foreach (var step in run.StepsAsync(stop.Token))
            {
                losses.Add(step.Step.Loss);
                if (step.Step.Step == 2)
                {
                    await stop.CancelAsync();
                }
            }
        }

        Assert.Equal(2, losses.Count);
        using var more = TrainingRun.Resume(tiny.PathOf("saved"));
        losses.AddRange(more.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Loss));
        Assert.Equal(straight, losses);
    }

    [Fact]
    public void A_caller_that_leaves_early_or_fails_loses_nothing()
    {
        using var tiny = new TinyRun();
        using (var run = TrainingRun.Prepare(tiny.Options(5, "left")))
        {
            Assert.Equal(1, run.Steps(TestContext.Current.CancellationToken).First().Step.Step);
        }

        Assert.Equal(1, SavedRun.Find(tiny.PathOf("left")).Checkpoint.Progress.Step);
        using var failing = TrainingRun.Prepare(tiny.Options(5, "failed"));
        Assert.Throws<InvalidOperationException>(() =>
        {
            foreach (var step in failing.Steps(TestContext.Current.CancellationToken))
            {
                throw new InvalidOperationException($"the caller's own, after step {step.Step.Step}");
            }
        });
        Assert.Equal(1, SavedRun.Find(tiny.PathOf("failed")).Checkpoint.Progress.Step);
    }

    [Fact]
    public void A_resumed_run_tells_what_is_changed_and_refuses_what_would_change_results()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(2, "saved"));
        var changes = new List<string>();
        using (
            var run = TrainingRun.Resume(
                tiny.PathOf("saved"),
                o => o with { Steps = 3, Optimizer = o.Optimizer with { LearningRate = 1e-3f } },
                happened =>
                {
                    if (happened is RunEvent.Changed { Change: var change })
                    {
                        changes.Add($"{change.Name} {change.From} -> {change.To}");
                    }
                }
            )
        )
        {
            Assert.Single(run.Steps(TestContext.Current.CancellationToken));
        }

        Assert.Contains("steps 2 -> 3", changes);
        Assert.Contains(changes, c => c.StartsWith("lr ", StringComparison.Ordinal) && c.EndsWith(" -> 1e-3", StringComparison.Ordinal));
        var refused = Assert.Throws<UserErrorException>(() =>
            TrainingRun.Resume(tiny.PathOf("saved"), o => o with { Steps = 9, Seed = 7 })
        );
        Assert.Contains("--seed 0", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_runs_train_side_by_side_as_each_would_alone()
    {
        using var tiny = new TinyRun();
        var other = tiny.Options(4) with { Seed = 1 };
        double[][] alone = [TinyRun.Losses(tiny.Options(4)), TinyRun.Losses(other)];
        Assert.NotEqual(alone[0], alone[1]);
        double[][] together = await Task.WhenAll(
            Task.Run(() => TinyRun.Losses(tiny.Options(4)), TestContext.Current.CancellationToken),
            Task.Run(() => TinyRun.Losses(other), TestContext.Current.CancellationToken)
        );
        Assert.Equal(alone, together);
    }

    [Fact]
    public void A_logger_and_the_meter_are_told_of_steps_and_saves()
    {
        using var tiny = new TinyRun();
        var measured = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "Dataflow")
                {
                    l.EnableMeasurementEvents(instrument);
                }
            },
        };
        void Add(string name, double value)
        {
            lock (measured)
            {
                measured[name] = measured.GetValueOrDefault(name) + value;
            }
        }

        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Add(instrument.Name, value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Add(instrument.Name, value));
        listener.Start();
        var logger = new Lines();
        using (var run = TrainingRun.Prepare(tiny.Options(2, "saved"), logger: logger))
        {
            Assert.Equal(2, run.Steps(TestContext.Current.CancellationToken).Count());
        }

        Assert.True(measured["dataflow.tokens"] >= 1024);
        Assert.True(measured["dataflow.throughput"] > 0 && measured["dataflow.learning_rate"] > 0);
        Assert.True(measured["dataflow.memory.planned"] > 0 && measured["dataflow.memory.taken"] > 0);
        Assert.True(measured["dataflow.stream.busy"] > 0);
        Assert.True(measured["dataflow.step.duration"] > 0 && measured["dataflow.save.duration"] > 0 && measured["dataflow.loss"] > 0);
        Assert.Contains(logger.All, l => l.StartsWith("Debug: step 2: loss ", StringComparison.Ordinal));
        Assert.Contains(logger.All, l => l.StartsWith("Information: saved step 2 in ", StringComparison.Ordinal));
        Assert.Contains(logger.All, l => l.StartsWith("Information: planned: ", StringComparison.Ordinal));
    }

    private sealed class Lines : ILogger
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format) =>
            All.Add($"{level}: {format(state, exception)}");
    }
}
