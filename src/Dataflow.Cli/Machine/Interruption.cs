using System.Globalization;
using System.Runtime.InteropServices;

namespace Dataflow.Cli;

/// <summary>
/// Signals of a run. The first SIGINT (Ctrl-C), SIGTERM or SIGHUP asks for an end after the step that is running, the second ends the
/// program at once, as the signal does by itself. SIGUSR1 asks to save and go on. One that the parent had ignored (nohup ignores SIGHUP)
/// stays ignored.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const PosixSignal SaveSignal = (PosixSignal)10; // SIGUSR1 on Linux; .NET has no name for it
    private const PosixSignal SaveSignalOnMac = (PosixSignal)30;
    private readonly bool saves;
    private readonly CancellationTokenSource stop = new();
    private readonly List<PosixSignalRegistration> registrations = [];
    private readonly Lock gate = new();
    private PosixSignal? by;
    private Action? save;
    private bool saveAsked;

    /// <summary>Listens to SIGUSR1, which would end the program; to the others from <see cref="Listen"/> on.</summary>
    /// <param name="saves">Whether the run has a folder to save to.</param>
    public Interruption(bool saves)
    {
        this.saves = saves;
        if (!OperatingSystem.IsWindows())
        {
            registrations.Add(PosixSignalRegistration.Create(OperatingSystem.IsMacOS() ? SaveSignalOnMac : SaveSignal, AskToSave));
        }
    }

    /// <summary>The signal that asked for an end; null if none did.</summary>
    public PosixSignal? By
    {
        get
        {
            lock (gate)
            {
                return by;
            }
        }
    }

    /// <summary>Cancelled when one asks for an end.</summary>
    public CancellationToken Stop => stop.Token;

    /// <summary>"SIGTERM".</summary>
    public static string NameOf(PosixSignal signal) => signal.ToString().ToUpperInvariant();

    /// <summary>How a run ends that a signal ended after it had saved: 128 and the signal's number, as shells have it.</summary>
    public static ExitCode CodeOf(PosixSignal signal) => signal switch
    {
        PosixSignal.SIGTERM => ExitCode.Terminated,
        PosixSignal.SIGHUP => ExitCode.HungUp,
        _ => ExitCode.Interrupted,
    };

    /// <summary>From now on the first signal lets the step that is running end.</summary>
    /// <param name="requestSave">Asks for a save.</param>
    public void Listen(Action requestSave)
    {
        lock (gate)
        {
            save = requestSave;
            if (saveAsked)
            {
                requestSave();
            }
        }

        PosixSignal[] all = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        foreach (var signal in all.Where(s => !IsIgnored(s)))
        {
            registrations.Add(PosixSignalRegistration.Create(signal, Ask));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }

        stop.Dispose();
    }

    /// <summary>As the process was started: .NET would replace what the parent asked for.</summary>
    public static bool IsIgnored(PosixSignal signal)
    {
        const string label = "SigIgn:";
        int number = signal switch { PosixSignal.SIGHUP => 1, PosixSignal.SIGINT => 2, _ => 15 };
        try
        {
            string? line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal));
            return ulong.TryParse(
                    line?[label.Length..].Trim(),
                    NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture,
                    out ulong mask
                )
                && (mask >> (number - 1) & 1) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // another system
        }
    }

    private void Ask(PosixSignalContext context)
    {
        lock (gate)
        {
            context.Cancel = by is null;
            if (by is null)
            {
                by = context.Signal;
                stop.Cancel();
                Messages.Tell(context.Signal == PosixSignal.SIGINT
                    ? $"stopping after this step{(saves ? " and saving" : "")} (Ctrl-C again stops at once)"
                    : $"{NameOf(context.Signal)}: stopping after this step{(saves ? " and saving" : "")} (a second signal stops at once)");
            }
        }
    }

    private void AskToSave(PosixSignalContext context)
    {
        context.Cancel = true;
        if (!saves)
        {
            Messages.Tell("SIGUSR1 asks to save, and this run has no --checkpoint to save to: training goes on");
            return;
        }

        lock (gate)
        {
            saveAsked = true;
            save?.Invoke();
        }
    }
}
