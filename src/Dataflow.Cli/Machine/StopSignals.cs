using System.Runtime.InteropServices;

namespace Dataflow.Cli;

/// <summary>The first SIGINT, SIGTERM or SIGHUP stops the work in good order, the second ends the program at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly PosixSignalRegistration[] registrations;

    /// <summary>From now on.</summary>
    public StopSignals() => registrations =
    [
        .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Where(s => !Interruption.IsIgnored(s))
            .Select(s => PosixSignalRegistration.Create(s, Take)),
    ];

    /// <summary>The signal that came; null if none did.</summary>
    public PosixSignal? By { get; private set; }

    /// <summary>Cancelled by it.</summary>
    public CancellationToken Token => stop.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        Array.ForEach(registrations, r => r.Dispose());
        stop.Dispose();
    }

    private void Take(PosixSignalContext context)
    {
        context.Cancel = By is null;
        By ??= context.Signal;
        stop.Cancel();
    }
}
