using System.Text;

namespace Dataflow.Schedules.Internals;

/// <summary>Gathers the verifier's findings up to its limit, and phrases ops and operands as the text form prints them.</summary>
internal sealed class ErrorList(Schedule schedule)
{
    private readonly List<ScheduleError> errors = [];
    private ScheduleWriter? writer;

    public int Count => errors.Count;

    public bool IsFull => errors.Count >= ScheduleVerifier.MaxErrors;

    // Made on first use: a good schedule needs no names.
    private ScheduleWriter Writer => writer ??= new ScheduleWriter(schedule);

    public void Add(string rule, int? op, string message)
    {
        if (!IsFull)
        {
            errors.Add(new ScheduleError(rule, op, op is { } index ? $"{Op(index)} {message}" : message));
        }
    }

    public string Op(int index) => ScheduleText.NameOf(schedule, index);

    public string Access(in Access access)
    {
        var text = new StringBuilder();
        Writer.AppendAccess(text, access);
        return text.ToString();
    }

    public string Object(int index) => Writer.Object(index);

    public string Slot(int index) => Writer.Slot(index);

    public IReadOnlyList<ScheduleError> ToList() => errors;
}
