namespace Dataflow.Cli;

/// <summary>Ctrl-C: the first asks for an end after the step that is running, the second ends the program at once.</summary>
internal sealed class Interruption : IDisposable
{
    private volatile bool asked;

    /// <summary>Listens from now on.</summary>
    public Interruption() => Console.CancelKeyPress += Ask;

    /// <summary>Whether it was pressed.</summary>
    public bool Asked => asked;

    /// <inheritdoc/>
    public void Dispose() => Console.CancelKeyPress -= Ask;

    private void Ask(object? sender, ConsoleCancelEventArgs press)
    {
        press.Cancel = !asked;
        if (!asked)
        {
            Console.Error.WriteLine("stopping after this step (Ctrl-C again stops at once)");
        }

        asked = true;
    }
}
