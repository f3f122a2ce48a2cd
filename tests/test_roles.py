"""The roles of staff: made by a migration, given by a command, and no way to more than they are."""

from __future__ import annotations

import io

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from connectors.roles import ADMINISTRATOR, AUDITOR, ROLES, SUPPORT_ACT, SUPPORT_VIEW, make_roles


def _role(client, role, name="lee"):
    make_roles(apps)  # a transactional test before this one has emptied the tables
    out = io.StringIO()
    call_command("give_role", name, role, stdout=out)
    client.force_login(User.objects.get(username=name))
    return out.getvalue()


@pytest.mark.django_db
def test_roles_are_made_where_permissions_are_still_missing_and_django_then_makes_no_second_ones():
    Group.objects.all().delete()
    Permission.objects.all().delete()
    ContentType.objects.all().delete()
    ContentType.objects.clear_cache()
    for _ in range(2):
        make_roles(apps)
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)
    for role, names in ROLES.items():
        held = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in held} == set(names)
    names = list(Permission.objects.values_list("content_type__app_label", "codename"))
    assert len(names) == len(set(names))
    ContentType.objects.clear_cache()


@pytest.mark.django_db
def test_a_command_makes_an_account_once(client):
    said = _role(client, SUPPORT_VIEW)
    password = said.split("Password: ")[1].strip()
    assert User.objects.get(username="lee").check_password(password)
    assert "Password" not in _role(client, AUDITOR)
    assert User.objects.get(username="lee").groups.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_the_first_page_of_each_role_is_of_use(client, role):
    _role(client, role)
    page = client.get("/admin/")
    assert page.status_code == 200
    assert "You don’t have permission" not in page.content.decode()
    assert "/admin/audit/calllog/" in page.content.decode()


@pytest.mark.django_db
def test_who_manages_accounts_makes_nobody_a_superuser(client):
    _role(client, ADMINISTRATOR)
    boss = User.objects.create_superuser("boss", password="x" * 16)
    me = User.objects.get(username="lee")
    everything = {"username": "lee", "is_active": "on", "is_staff": "on", "is_superuser": "on", "groups": []}
    permission = Permission.objects.get(codename="delete_logentry").pk
    everything |= {"user_permissions": [permission], "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    everything["groups"] = [Group.objects.get(name=ADMINISTRATOR).pk]
    assert client.post(f"/admin/auth/user/{me.pk}/change/", everything).status_code == 302
    me.refresh_from_db()
    assert not me.is_superuser
    assert not me.user_permissions.exists()
    assert client.post(f"/admin/auth/user/{boss.pk}/change/", everything).status_code == 403
    assert client.get(f"/admin/auth/user/{boss.pk}/password/").status_code == 403
    assert client.post(f"/admin/auth/user/{boss.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"}
    client.post("/admin/auth/user/", chosen)
    assert User.objects.filter(pk=boss.pk, is_superuser=True).exists()


@pytest.mark.django_db
def test_an_account_made_by_an_administrator_can_sign_in_to_the_admin(client):
    _role(client, ADMINISTRATOR)
    client.post(
        "/admin/auth/user/add/",
        {
            "username": "new",
            "password1": "a-long-pass-phrase",
            "password2": "a-long-pass-phrase",
            "usable_password": "true",
        },
    )
    assert User.objects.get(username="new").is_staff
    assert User.objects.get(username="new").get_all_permissions() == set()


@pytest.mark.django_db
def test_roles_other_than_support_act_decide_nothing(client):
    for role, may in ((SUPPORT_VIEW, False), (AUDITOR, False), (SUPPORT_ACT, True), (ADMINISTRATOR, True)):
        _role(client, role, name=role[:9].lower().replace(" ", ""))
        User.objects.get(username=role[:9].lower().replace(" ", "")).groups.set([Group.objects.get(name=role)])
        page = client.get("/admin/connectors/crmuser/").content.decode()
        assert ('value="sign_out"' in page) is may, role
