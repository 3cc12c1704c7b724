"""Records of consent from before the chain are put into it by the migration."""

from sqlalchemy import text

from newsletter.database import Database
from subscribers.address import parse_address
from subscribers.consent import verify


def test_old_records_are_in_the_chain_after_the_upgrade(database: Database) -> None:
    """In their order, with the address their person had, so that from now on none changes unseen."""
    database.downgrade("0011")
    with database.write() as session:
        session.execute(
            text(
                "INSERT INTO subscriber (id, address, address_key, created_at) VALUES "
                "(1, 'Ann@example.org', 'ann@example.org', '2026-01-05 00:00:00+00:00'), "
                "(2, 'bo@example.org', 'bo@example.org', '2026-01-05 00:00:00+00:00'), "
                "(3, 'Weiß@example.org', 'weiss@example.org', '2026-01-05 00:00:00+00:00')"
            )
        )
        for number in range(1, 2502):
            session.execute(
                text(
                    "INSERT INTO consent (subscriber_id, category, action, source, evidence, at) VALUES "
                    "(:who, 'advice', 'granted', 'cli', :said, '2026-01-05 10:00:00.123456+00:00')"
                ),
                {"who": 1 + number % 2, "said": f'“{number}”\n"\\'},
            )
    database.upgrade()
    with database.read() as session:
        found = verify(session)
        assert (found.records, found.flaws) == (2501, ())
        addresses = session.execute(text("SELECT DISTINCT address FROM consent ORDER BY address")).scalars()
        assert sorted(addresses) == ["Ann@example.org", "bo@example.org"]
        key = text("SELECT address_key FROM subscriber WHERE id = 3")
        assert session.execute(key).scalar_one() == parse_address("Weiß@example.org").key
