namespace Dataflow;

/// <summary>Lines that are ready in any order and written in theirs, each as soon as all before it are.</summary>
internal sealed class OrderedLines(TextWriter output, int count)
{
    private readonly Lock gate = new();
    private readonly string?[] ready = new string?[count];
    private int next;

    /// <summary>The line of that number, once.</summary>
    public void Put(int number, string line)
    {
        lock (gate)
        {
            ready[number] = line;
            for (; next < ready.Length && ready[next] is { } first; next++)
            {
                output.WriteLine(first);
                ready[next] = "";
            }
        }
    }
}
