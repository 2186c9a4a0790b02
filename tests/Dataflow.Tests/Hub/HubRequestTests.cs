using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>What the hub answers instead of a file, and who is sent the token.</summary>
public sealed class HubRequestTests : IDisposable
{
    private const string Api = "/revision/main";
    private const string Other = "http://127.0.0.2";
    private readonly HubWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(401, "RepoNotFound", "", "there is no someone/tiny on 127.0.0.1, or it is private and the token may not read it")]
    [InlineData(401, "", "", "there is no someone/tiny")]
    [InlineData(401, "", "Invalid credentials in Authorization header", "the hub does not know the token that was sent")]
    [InlineData(401, "GatedRepo", "", "someone/tiny is gated: accept its terms at ")]
    [InlineData(403, "GatedRepo", "", "then run this again with the token of that account")]
    [InlineData(403, "", "Access to this resource is disabled.", "someone/tiny has been disabled on the hub")]
    [InlineData(403, "", "", "the token has no right to read someone/tiny")]
    [InlineData(404, "RepoNotFound", "", "there is no someone/tiny")]
    [InlineData(404, "RevisionNotFound", "", "someone/tiny has no revision main")]
    public void What_waiting_does_not_mend_fails_at_once_and_says_what_does(int status, string code, string message, string said)
    {
        world.OnHub = r => HubReply.Text(status, "", [
            ("X-Request-Id", "Root=1-abc"),
            .. code.Length > 0 ? [("X-Error-Code", code)] : Array.Empty<(string, string)>(),
            .. message.Length > 0 ? [("X-Error-Message", message)] : Array.Empty<(string, string)>()]);
        string failure = world.Fails<UserErrorException>().Message;
        Assert.Contains(said, failure, StringComparison.Ordinal);
        Assert.EndsWith(" (request Root=1-abc)", failure, StringComparison.Ordinal);
        Assert.Single(world.Hub.Requests);
        Assert.False(Directory.Exists(world.Settings.Cache));
    }

    [Fact]
    public void Without_a_token_it_says_that_one_may_be_missing()
    {
        world.Settings = world.Settings with { Token = null };
        world.OnHub = _ => HubReply.Text(401, "", ("X-Error-Code", "RepoNotFound"));
        Assert.Contains("set HF_TOKEN", world.Fails<UserErrorException>().Message, StringComparison.Ordinal);
        world.OnHub = r => r.Path.Contains("/resolve/", StringComparison.Ordinal)
            ? HubReply.Text(403, "", ("X-Error-Code", "GatedRepo")) : null;
        Assert.Contains("set HF_TOKEN to a token of that account", world.Fails<UserErrorException>().Message, StringComparison.Ordinal);
        Assert.DoesNotContain(world.Hub.Requests, r => r.HasToken);
    }

    [Fact]
    public void A_file_that_is_listed_and_not_there_is_named()
    {
        world.OnHub = r => r.Path.Contains("/resolve/", StringComparison.Ordinal)
            ? HubReply.Text(404, "", ("X-Error-Code", "EntryNotFound")) : null;
        Assert.Matches("has no file (config.json|model.safetensors)", world.Fails<UserErrorException>().Message);
    }

    [Fact]
    public void A_host_without_the_hubs_codes_is_no_hub()
    {
        world.OnHub = _ => HubReply.Text(404, "not found");
        Assert.Contains("a hub?", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        world.OnHub = _ => HubReply.Text(200, "<html>sign in</html>");
        Assert.Contains("does not answer as a hub does", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        world.OnHub = _ => HubReply.Text(200, new string('[', 100) + new string(']', 100));
        Assert.Contains("does not answer as a hub does", world.Fails<FailedException>().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_no_hub_vouches_for_is_not_taken()
    {
        world.OnHub = r => r.Path.Contains("/resolve/", StringComparison.Ordinal) ? new HubReply(200, "{}"u8.ToArray()) : null;
        Assert.Contains("no X-Repo-Commit", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.Empty(world.Links);
    }

    [Theory]
    [InlineData("RateLimit", "\"resolvers\";r=0;t=1", 2)]
    [InlineData("RateLimit", "\"api\";r=0;t=55", 56)]
    [InlineData("RateLimit", "\"api\";r=7;t=55", 1)]
    [InlineData("Retry-After", "17", 17)]
    [InlineData("Retry-After", "Thu, 01 Jan 2026 00:00:20 GMT", 20)]
    [InlineData("X-Nothing", "", 1)]
    public void Too_many_requests_wait_as_long_as_the_hub_says(string header, string value, double seconds)
    {
        world.OnHub = HubWorld.InTurn(Api, _ => HubReply.Text(429, "", (header, value)));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([seconds], world.Clock.Waits);
    }

    [Fact]
    public void Whoever_asks_to_wait_for_hours_is_not_waited_for()
    {
        world.OnHub = HubWorld.InTurn(Api, _ => HubReply.Text(429, "", ("Retry-After", "7200")));
        Assert.Contains("asks to wait 120 minutes", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.Empty(world.Clock.Waits);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(408)]
    public void Faults_that_pass_are_tried_again(int status)
    {
        var fault = (HubRequest _) => (HubReply?)HubReply.Text(status, "");
        world.OnHub = HubWorld.InTurn(Api, fault, fault);
        world.OnStorage = HubWorld.InTurn("", fault, fault);
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([1, 2, 1, 2], world.Clock.Waits);
        Assert.Equal(4, world.Events.OfType<HubEvent.Retrying>().Count());
    }

    [Fact]
    public void Faults_that_do_not_pass_are_given_up_after_five_more_tries()
    {
        world.OnHub = _ => HubReply.Text(500, "", ("X-Request-Id", "Root=1-abc"));
        string failure = world.Fails<FailedException>().Message;
        Assert.Contains("answers 500 (request Root=1-abc), after 5 more tries", failure, StringComparison.Ordinal);
        Assert.Equal([1, 2, 4, 8, 8], world.Clock.Waits);
        Assert.Equal(6, world.Hub.Requests.Count);
    }

    [Fact]
    public void A_server_that_is_not_there_is_named()
    {
        world.Hub.Dispose();
        Assert.Contains("cannot be reached", world.Fails<FailedException>().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_token_is_sent_to_the_endpoint_alone()
    {
        _ = world.Fetch();
        Assert.All(world.Hub.Requests, r => Assert.Equal($"Bearer {HubWorld.Token}", r.Headers["Authorization"]));
        Assert.NotEmpty(world.Storage.Requests);
        Assert.DoesNotContain(world.Storage.Requests, r => r.HasToken);
    }

    [Fact]
    public void A_model_that_was_renamed_is_found_by_redirects()
    {
        string moved = "/api/models/else/where";
        world.OnHub = r => r.Path == $"/api/models/{HubWorld.Id}{Api}" ? HubReply.Text(307, "", ("Location", moved + "/1"))
            : r.Path == moved + "/1" ? HubReply.Text(308, "", ("Location", $"{world.Hub.Url}{moved}/2"))
            : r.Path == moved + "/2" ? HubReply.Text(301, "", ("Location", "3"))
            : r.Path == moved + "/3" ? HubReply.Text(200, $$"""{"sha":"{{HubWorld.Commit}}"}""") : null;
        _ = world.Fetch();
        world.IsWhole();
        Assert.All(world.Hub.Requests, r => Assert.True(r.HasToken));
    }

    [Theory]
    [InlineData("/api/models/someone/tiny/revision/main", "redirects more than 20 times")]
    [InlineData("", "redirects to nowhere")]
    [InlineData("file:///etc/passwd", "redirects to nowhere")]
    public void Redirects_that_lead_nowhere_are_not_followed_for_ever(string location, string said)
    {
        world.OnHub = _ => HubReply.Text(302, "", location.Length > 0 ? [("Location", location)] : []);
        Assert.Contains(said, world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.Equal(location.StartsWith('/') ? 21 : 1, world.Hub.Requests.Count);
    }

    [Theory]
    [InlineData("https://huggingface.co")]
    [InlineData("")]
    public void The_pages_of_a_listing_are_followed_through_the_endpoint(string host)
    {
        world.OnHub = r => !r.Path.Contains("/tree/", StringComparison.Ordinal) ? null
            : r.Target.Contains("cursor=2", StringComparison.Ordinal) ? HubReply.Text(200, world.Tree())
            : HubReply.Text(200, "[]", ("Link", $"<{(host.Length > 0 ? host : world.Hub.Url)}{r.Path}?cursor=2&x=%2F>; rel=\"next\""));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Contains(world.Hub.Requests, r => r.Target.EndsWith("?cursor=2&x=%2F", StringComparison.Ordinal));
    }

    [Fact]
    public void A_page_on_another_host_is_not_asked_for()
    {
        world.OnHub = r => r.Path.Contains("/tree/", StringComparison.Ordinal)
            ? HubReply.Text(200, "[]", ("Link", $"<{Other}{r.Path}>; rel=\"next\"")) : null;
        Assert.Contains("not on 127.0.0.1", world.Fails<FailedException>().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mirror_takes_the_hubs_place_in_redirects_too()
    {
        world.OnHub = r => r.Path == $"/{HubWorld.Id}/resolve/{HubWorld.Commit}/config.json"
            ? HubReply.Text(307, "", ("Location", HubSettings.DefaultEndpoint
                + $"/api/resolve-cache/models/{HubWorld.Id}/{HubWorld.Commit}/config.json"))
            : null;
        _ = world.Fetch();
        world.IsWhole();
    }

    [Fact]
    public void A_revision_is_one_part_of_an_address()
    {
        _ = world.Fetch("refs/pr/1");
        Assert.Equal($"/api/models/{HubWorld.Id}/revision/refs%2Fpr%2F1", world.Hub.Requests[0].Target);
        Assert.Equal(HubWorld.Commit, File.ReadAllText(Path.Combine(world.Repository, "refs", "refs", "pr", "1")));
    }
}
